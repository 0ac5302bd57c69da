"""A rival that is told the parts of the grammar and only chooses among them. Runs no program, has no network."""

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from .programs import OPERATIONS, VERBS, program_of

NONE = ""  # stands where a program has no step
SEEN = 5  # a run of words in fewer requests is no feature: half the seconds, the same score
PLACES = 3  # first step, second step, ending


def words_and_numbers(request):
    """The request with N for each number, and the numbers in the order in which things are done."""
    words = request.replace("by 2 rounding", "by two rounding").split()  # how "halve" is asked for; its 2 is fixed
    numbers = [int(word) for word in words if word.isdigit()]
    nested = words[:1] and words[0] in VERBS  # a nested phrase names first what is done last
    return " ".join("N" if word.isdigit() else word for word in words), numbers[::-1] if nested else numbers


class Chooser:
    """Three linear models that choose first step, second step and ending by the words of a request.

    Args:
        problems: what to learn from, with at least two different operations in each place.
        longest: the longest run of neighbouring words that is a feature; beyond 6 about a point is
            gained on pairs of operations cut out of the training requests (`record.py`).
    """

    def __init__(self, problems, longest=6):
        self.counter = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, longest), binary=True, min_df=SEEN)
        counts = self.counter.fit_transform(words_and_numbers(problem.request)[0] for problem in problems)
        places = zip(*([NONE] * (PLACES - len(p.operations)) + [*p.operations] for p in problems), strict=True)
        self.models = [LogisticRegression(max_iter=300).fit(counts, place) for place in places]

    def write(self, problems):
        """For each problem a list of one program, from its request alone."""
        read = [words_and_numbers(problem.request) for problem in problems]
        counts = self.counter.transform(words for words, _ in read)
        chosen = zip(*(model.predict(counts) for model in self.models), strict=True)
        return [[fill_in(names, numbers)] for names, (_, numbers) in zip(chosen, read, strict=True)]


def fill_in(names, numbers):
    """The program of these operations; numbers go to those that need one, in order, and 2 where they run out."""
    names, left = [str(name) for name in names if name != NONE], iter(numbers)
    return program_of(names, [next(left, 2) if OPERATIONS[name].numbered else 0 for name in names])
