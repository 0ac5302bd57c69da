"""Exercises of lesson 34: rates by group, what Chouldechova's arithmetic forces, reweighing, costs of a constraint."""

import numpy as np

from .form import exercise


def _people(n, groups, seed):
    """Labels, decisions, groups (n,); each group has both labels."""
    chance = np.random.default_rng([34, seed])
    group = np.arange(n) % groups
    label = (np.arange(n) // groups) % 2
    order = chance.permutation(n)
    return label[order], (chance.random(n) < 0.4 + 0.2 * label[order]).astype(int), group[order]


@exercise(returns="float array (groups, 3)", points=2)
def rates(label, decision, group):
    found = []
    for k in range(int(max(group)) + 1):
        rows = []
        for wanted in (None, 1, 0):
            said = [d for y, d, g in zip(label, decision, group) if g == k and (wanted is None or y == wanted)]
            rows.append(sum(int(d) for d in said) / len(said) if said else float("nan"))
        found.append(rows)
    return np.array(found)


@rates.cases
def _():
    yield "the worked example", np.array([1, 1, 0, 1, 0]), np.array([1, 0, 1, 1, 0]), np.array([0, 0, 0, 1, 1])
    yield "forty people, two groups", *_people(40, 2, 1)
    yield "thirty people, three groups", *_people(30, 3, 2)
    yield "one group", *_people(9, 1, 3)
    yield "nobody unqualified in group 1", np.array([1, 0, 1, 1]), np.array([1, 0, 0, 1]), np.array([0, 0, 1, 1])
    yield "nobody qualified in group 0", np.array([0, 0, 1, 0]), np.array([1, 0, 0, 1]), np.array([0, 0, 1, 1])
    yield "nobody at all in group 1", np.array([1, 0, 1, 0]), np.array([1, 0, 0, 1]), np.array([0, 0, 2, 2])
    yield "everybody is admitted", np.array([1, 0, 1, 0]), np.ones(4, int), np.array([0, 0, 1, 1])
    yield "nobody is admitted", np.array([1, 0, 1, 0]), np.zeros(4, int), np.array([1, 1, 0, 0])
    yield "one person", np.array([1]), np.array([1]), np.array([0])


@rates.usual
def rates(label, decision, group):
    found = np.full((group.max() + 1, 3), np.nan)
    for k in range(len(found)):
        mine = group == k
        for column, people in enumerate((mine, mine & (label == 1), mine & (label == 0))):
            if people.any():
                found[k, column] = decision[people].mean()
    return found


rates.slip(
    "(mine, mine & (label == 1), mine & (label == 0))", "(mine, mine & (label == 0), mine & (label == 1))", "swapped"
).says("TPR and FPR changed places: the second column is about people with label 1.")
rates.slip("np.nan", "0.0", "zero").says("where there is nobody you wrote a number. Unknown is `nan`.")


@rates.mistake("precision", "you divided by the admitted. TPR and FPR divide by the people with that label.")
def _(label, decision, group):
    found = np.full((group.max() + 1, 3), np.nan)
    for k in range(len(found)):
        mine = group == k
        yes = mine & (decision == 1)
        if mine.any():
            found[k, 0] = decision[mine].mean()
        if yes.any():
            found[k, 1:] = (label[yes] == 1).mean(), (label[yes] == 0).mean()
    return found


rates.slip(
    "    found = np.full", "    label, decision = decision, label\n    found = np.full", "label and decision exchanged"
).says("label and decision changed places. These are rates of the decision, among labels.")


@rates.mistake("of the group", "you divided by the whole group. TPR and FPR divide by the people with that label.")
def _(label, decision, group):
    found = np.full((group.max() + 1, 3), np.nan)
    for k in range(len(found)):
        mine = group == k
        if mine.any():
            hits = decision * (label == 1), decision * (label == 0)
            found[k] = decision[mine].mean(), hits[0][mine].mean(), hits[1][mine].mean()
    return found


@rates.mistake("everybody", "every row is that of everybody. Each group has a row of its own.")
def _(label, decision, group):
    row = [decision[p].mean() if p.any() else np.nan for p in (label >= 0, label == 1, label == 0)]
    return np.tile(row, (group.max() + 1, 1))


@rates.mistake("transposed", "groups are rows, the three rates are columns.")
def _(label, decision, group):
    found = np.full((3, group.max() + 1), np.nan)
    for k in range(found.shape[1]):
        mine = group == k
        for row, people in enumerate((mine, mine & (label == 1), mine & (label == 0))):
            if people.any():
                found[row, k] = decision[people].mean()
    return found


@exercise(returns="float array, shape of `base`", points=2)
def forced_fpr(base, ppv, tpr):
    # counts people, of a million
    qualified = 1e6 * base
    right = tpr * qualified
    wrong = right / ppv - right
    return wrong / (1e6 - qualified)


@forced_fpr.cases
def _():
    yield "the worked example", np.array([0.5, 0.2]), np.array([0.8, 0.8]), np.array([0.6, 0.6])
    yield "five groups", np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.full(5, 0.95), np.array([0.5, 0.6, 0.7, 0.1, 0.3])
    yield "one group", np.array([0.35]), np.array([0.7]), np.array([0.9])
    yield "nobody qualified", np.array([0.0, 0.4]), np.array([0.5, 0.5]), np.array([0.9, 0.6])
    yield "never wrong", np.array([0.2, 0.6]), np.array([1.0, 1.0]), np.array([0.7, 0.8])
    yield "none found", np.array([0.2, 0.6]), np.array([0.4, 0.3]), np.array([0.0, 0.0])
    yield "all found", np.array([0.2, 0.4]), np.array([0.5, 0.9]), np.array([1.0, 1.0])
    yield "numbers that do not fit together", np.array([0.9, 0.8]), np.array([0.1, 0.3]), np.array([1.0, 0.9])
    yield "no group", np.zeros(0), np.zeros(0), np.zeros(0)


@forced_fpr.usual
def forced_fpr(base, ppv, tpr):
    return base / (1 - base) * (1 - ppv) / ppv * tpr


forced_fpr.slip("* tpr", "* (1 - tpr)", "missed").says(
    "you took the share that is missed. The right yeses are TPR times the qualified."
)
forced_fpr.slip("base / (1 - base)", "(1 - base) / base", "odds").says(
    "the odds stand on their head: qualified over unqualified is p / (1 - p)."
)
forced_fpr.slip("(1 - ppv) / ppv", "ppv / (1 - ppv)", "wrong for right").says(
    "wrong yeses to right yeses are (1 - PPV) / PPV, not the other way round."
)
forced_fpr.slip("* tpr", "/ tpr", "divided").says(
    "you divided by TPR. The right yeses are the qualified times TPR, and the wrong yeses grow with them."
)
forced_fpr.slip("base / (1 - base)", "base", "not odds").says(
    "divide by the unqualified: FPR is a share of them, not of everybody."
)
forced_fpr.slip("(1 - ppv) / ppv", "(1 - ppv)", "share of yeses").says(
    "1 - PPV is a share of all yeses. To count from the right yeses divide by PPV, too."
)


forced_fpr.slip(
    "base / (1 - base) * (1 - ppv) / ppv * tpr", "np.minimum(base / (1 - base) * (1 - ppv) / ppv * tpr, 1)", "clipped"
).says("you cut the result at 1. The text wants what the identity says, also above 1.")


@exercise(
    returns="float array (n,)",
    points=2,
    # each label and group is visited more than once, with the same result
    equivalent_mutants=[
        "np.unique(label) -> label in for y in np.unique(label):",
        "np.unique(group) -> group in for y in np.unique(label):",
    ],
)
def reweigh(label, group):
    people, n = list(zip(label.tolist(), group.tolist())), len(label)
    found = []
    for y, g in people:
        wanted = sum(a == y for a, _ in people) / n * sum(b == g for _, b in people) / n
        found.append(wanted / (sum(pair == (y, g) for pair in people) / n))
    return np.array(found)


@reweigh.cases
def _():
    yield "the worked example", np.array([1, 1, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1, 1])
    label, _, group = _people(31, 2, 11)
    yield "thirty-one people", label, group
    yield "unlike groups", np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    label, _, group = _people(23, 3, 12)
    yield "three groups", label, group
    yield "one group", np.array([1, 0, 0]), np.array([0, 0, 0])
    yield "one label", np.array([1, 1, 1]), np.array([0, 1, 1])
    yield "one person", np.array([0]), np.array([0])
    yield "no label 1 in group 1", np.array([1, 0, 0, 0]), np.array([0, 0, 1, 1])


@reweigh.usual
def reweigh(label, group):
    weight = np.zeros(len(label))
    for y in np.unique(label):
        for g in np.unique(group):
            cell = (label == y) & (group == g)
            if cell.any():
                weight[cell] = (label == y).mean() * (group == g).mean() / cell.mean()
    return weight


reweigh.slip(
    "(label == y).mean() * (group == g).mean() / cell.mean()",
    "cell.mean() / ((label == y).mean() * (group == g).mean())",
    "upside down",
).says("the weights are upside down: what is too rare has to weigh more than 1.")
reweigh.slip("(label == y).mean() * (group == g).mean() / cell.mean()", "1 / cell.mean()", "all alike").says(
    "this makes all cells equally heavy. Groups and labels keep their shares; only their link goes."
)
reweigh.slip("(label == y).mean() * (group == g).mean()", "(group == g).mean()", "label share").says(
    "the share of the label is missing: where nothing is linked, a cell has the product of both shares."
)
reweigh.slip("(label == y).mean() * (group == g).mean()", "(label == y).mean()", "group share").says(
    "the share of the group is missing: where nothing is linked, a cell has the product of both shares."
)


reweigh.slip("return weight", "return weight / weight.sum()", "normalised").says(
    "right up to a factor: you divided by a sum or a mean. The text wants the ratio of shares as it is."
)


@exercise(returns="float array (n,)", points=3)
def cost_weights(label, group, pull):
    # what each person adds when decided yes: to right answers, and to each group's excess
    n, found = len(label), []
    for y, g in zip(label.tolist(), group.tolist()):
        price = 0.0
        for k, p in enumerate(pull.tolist()):
            size = sum(other == k for other in group.tolist())
            price += p * ((n / size if g == k else 0.0) - 1)
        found.append((1 if y == 1 else -1) - price)
    return np.array(found)


@cost_weights.cases
def _():
    yield "the worked example", np.array([1, 0, 1, 0]), np.array([0, 0, 0, 1]), np.array([0.3, 0.0])
    label, _, group = _people(21, 2, 21)
    yield "twenty-one people", label, group, np.array([0.4, -0.1])
    yield "no pull", label, group, np.zeros(2)
    label, _, group = _people(26, 3, 22)
    yield "three groups", label, group, np.array([-0.2, 0.5, 0.1])
    yield "unlike groups", np.array([1, 0, 1, 1, 0, 1, 0]), np.array([0, 0, 0, 0, 0, 1, 1]), np.array([-0.7, 0.2])
    yield "one group", np.array([1, 0]), np.array([0, 0]), np.array([0.6])


@cost_weights.usual
def cost_weights(label, group, pull):
    larger = len(group) / np.bincount(group)
    return 2 * label - 1 - (pull * larger)[group] + pull.sum()


cost_weights.slip(" + pull.sum()", "", "against zero").says(
    "a group's excess is its rate less everybody's rate. The second half, alike for all, is missing."
)
cost_weights.slip("- (pull * larger)[group] + pull.sum()", "+ (pull * larger)[group] - pull.sum()", "sign").says(
    "the sign of the price: a group with too many yeses has to pay for more of them."
)
cost_weights.slip(
    "2 * label - 1 - (pull * larger)[group] + pull.sum()",
    "-(2 * label - 1 - (pull * larger)[group] + pull.sum())",
    "costs",
).says("all signs are turned: these are costs. The text wants what a yes is worth.")
cost_weights.slip("2 * label - 1", "1 - 2 * label", "label turned").says(
    "the sign of the label: a yes to label 1 is worth +1, to label 0 -1."
)
cost_weights.slip("+ pull.sum()", "- pull.sum()", "sum turned").says(
    "the bracket's -1 comes with the minus before the sum: together it is added, not taken away."
)
cost_weights.slip("(pull * larger)[group]", "pull[group]", "size of group").says(
    "one person moves a small group's rate by more: n over the group's size is missing."
)
cost_weights.slip("2 * label - 1", "label", "no is not zero").says(
    "a yes to an unqualified person is wrong: -1, not 0."
)
cost_weights.slip("len(group) / np.bincount(group)", "np.bincount(group) / len(group)", "share").says(
    "you multiplied by the group's share. A person of a small group moves its rate by more, so divide."
)
