"""What lesson 08 records: how its rates were picked, and gains and forgetting over seeds and steps."""

SETTINGS = {"steps": [50, 100, 200], "seeds": {"50": [0, 1, 2, 3, 4], "100": [0, 1, 2], "200": [0, 1, 2]}}
QUICK = {"steps": [2, 3], "seeds": {"2": [0], "3": [0]}}

PICKING_SEED = 10
FACTORS = {200: (0.25, 0.5, 1)}  # of the rates below; a longer run wants a lower rate
USUAL = (0.5, 1, 2)
AROUND = {
    "full": 1e-3,
    "last layer": 3e-3,
    "biases, norms": 1e-2,
    "rank 1": 1e-2,
    "rank 4": 1e-2,
    "rank 6": 1e-2,
    "rank 16": 6e-3,
}
LONG = ("full", "rank 4", "rank 6", "rank 16")  # beyond the fewest steps


def measure(lesson, *, steps, seeds):
    """By steps: bits of cut-out code by rate; gain (seeds, [share, bits of code, of documentation]); bits lost.

    Last, the gain of rank 16 at twice the rate that was kept for the most steps: a tie in the picking.
    """
    base, words = lesson.load_gpt()
    text = lesson.python_source(1_000_000, packages=("networkx",))
    docs = lesson.documentation(("python", "numpy", "scipy", "matplotlib"), max_characters=120_000)
    tokens = lesson.torch.tensor(words.encode(text.train.decode()))
    exams = lesson.exam(text.test.decode(), words), lesson.exam(docs.test_text, words)
    start = [lesson.bits_per_byte(base, each) for each in exams]
    cut = tokens[-len(tokens) // 10 :]
    rehearsal = lesson.exam(words.decode(cut.tolist()), words)
    figures = {"tried": {}, "gain": {}, "lost": {}, "rank 16 at twice its rate": []}

    def tuned(method, rate, seed, count):
        plain = lesson.merged(lesson.tune(base, method, tokens, rate, seed, count), base)
        return plain, [lesson.bits_per_byte(plain, each) for each in exams]

    def gained(scores, full):
        share = (start[0] - scores[0]) / (start[0] - full)
        return [round(share, 4), *(round(bits, 4) for bits in scores)]

    for count in steps:
        methods = AROUND if count == steps[0] else LONG
        tried = figures["tried"][str(count)] = {}
        for method in methods:
            tried[method] = {}
            for factor in FACTORS.get(count, USUAL) if count > 3 else USUAL[:1]:
                rate = factor * AROUND[method]
                model = lesson.tune(base, method, tokens[: -len(cut)], rate, PICKING_SEED, count)
                tried[method][f"{rate:g}"] = round(lesson.bits_per_byte(model, rehearsal), 4)
        gain = figures["gain"][str(count)] = {method: [] for method in methods if method != "full"}
        lost = figures["lost"][str(count)] = {method: [] for method in lesson.PATHS}
        for seed in seeds[str(count)]:
            full = None
            for method in methods:
                rate = float(min(tried[method], key=tried[method].get))
                plain, scores = tuned(method, rate, seed, count)
                full = scores[0] if method == "full" else full
                if method != "full":
                    gain[method].append(gained(scores, full))
                if method == "rank 16" and count == steps[-1]:
                    twice = tuned(method, 2 * rate, seed, count)[1]
                    figures["rank 16 at twice its rate"].append(gained(twice, full))
                if method in lesson.PATHS:
                    line = lesson.path(plain, base, exams, start)
                    lost[method].append(round(lesson.lost(line, full), 4))
    return figures
