"""Abstracts of papers that were never written, about materials that were never made: every fact in them is known.

Needs nothing but Python. A paper tells of one sample: how it was heated, how long, in which gas, and what was measured.
It also tells of other heatings, times, gases, materials and values, which are not the facts asked for.
"""

import random
from dataclasses import dataclass

SLOTS = ("sample", "heat", "time", "gas", "value")
TAGS = ("", *SLOTS)
DOPANTS = (
    "cobalt nickel iron copper zirconium niobium yttrium cerium erbium gallium tin vanadium silver samarium rhodium "
    "antimony hafnium tantalum terbium holmium scandium germanium ruthenium palladium thulium europium"
).split()
METALS = (
    "zinc lithium barium titanium bismuth strontium tungsten lanthanum indium calcium magnesium manganese lead sodium "
    "potassium aluminium caesium cadmium chromium molybdenum rubidium neodymium beryllium thallium"
).split()
ANIONS = "oxide sulfide phosphate nitride selenide borate fluoride silicate chloride carbide telluride iodide".split()
GASES = ("air", "argon", "nitrogen", "oxygen", "vacuum", "5 % hydrogen in argon", "ammonia", "wet nitrogen")
ROUTES = (
    "solid-state reaction",
    "a sol-gel route",
    "co-precipitation",
    "spray drying",
    "combustion synthesis",
    "hydrothermal growth",
)
VERBS = "calcined sintered annealed fired baked heat-treated roasted soaked".split()

# {S} {T} {t} {G} {V} are the facts; {R} another material, {T2} {t2} {G2} {V2} facts about other things.
OPENING = (
    "Powders of {S} were obtained by {route} .",
    "We prepared {S} by {route} and compare it with {R} .",
    "{S} was made by {route} .",
    "This work deals with {S} , which we obtained by {route} .",
    "Samples of {S} came from {route} , those of {R} from a supplier .",
    "While {R} has been studied for years , little is known of {S} .",
    "By {route} , pellets of {S} were produced .",
    "The conductor {S} is studied here and grown by {route} .",
    "Unlike {R} , the compound {S} can be made by {route} .",
    "Here , {route} is used for the preparation of {S} .",
    "Our interest lies in {S} rather than in {R} .",
    "Ceramics of {S} , prepared by {route} , are examined .",
)
BEFORE = (
    "The precursors were milled for {t2} and dried at {T2} .",
    "After drying at {T2} for {t2} in {G2} , the gel was ground .",
    "Salts were dissolved in water at {T2} and stirred for {t2} .",
    "The slurry was dried in {G2} at {T2} .",
    "Starting powders were stored in {G2} and mixed for {t2} .",
    "Water was driven off at {T2} within {t2} .",
    "Ball milling took {t2} ; the solvent left at {T2} .",
    "A first drying in {G2} lasted {t2} .",
    "Stirring for {t2} under {G2} gave a gel that was dried at {T2} .",
)
HEATING = (
    "The product was {verb} at {T} for {t} in {G} .",
    "It was then {verb} in {G} at {T} for {t} .",
    "Pellets were {verb} for {t} at {T} under flowing {G} .",
    "The powder was {verb} , after pressing for {t2} , at {T} in {G} for {t} .",
    "Under {G} , the mixture was {verb} for {t} at {T} .",
    "For {t} it was {verb} at {T} , always in {G} .",
    "Being {verb} at {T} in {G} for {t} gave a single phase , unlike a run at {T2} .",
    "The furnace was filled with {G} and the pellets {verb} at {T} during {t} .",
    "Once dry at {T2} , the powder was {verb} for {t} at {T} in {G} .",
    "At {T} and in {G} , the sample was {verb} for {t} .",
    "The gel , dried at {T2} for {t2} , was finally {verb} for {t} in {G} at {T} .",
    "A tube with {G} served to have the powder {verb} for {t} at {T} instead of {T2} .",
    "In a stream of {G} the pellets were , following {t2} of pressing , {verb} at {T} for {t} .",
    "The phase forms when {verb} for {t} in {G} ; {T} is needed , {T2} is too little .",
    "What was {verb} at {T} , for {t} and in {G} , is free of carbon .",
)
RESULT = (
    "Its conductivity at {T2} is {V} .",
    "We measured a conductivity of {V} , against {V2} for {R} .",
    "A value of {V} was reached , well above the {V2} of {R} .",
    "While {R} shows {V2} , the new material conducts with {V} .",
    "The conductivity is {V} in {G2} at {T2} .",
    "In {G2} , {V} was found after {t2} .",
    "Compared with {V2} for {R} , it conducts with {V} at {T2} .",
    "The best pellet has {V} ; the literature gives {V2} for {R} .",
    "Conductivities rose from {V2} before to {V} after the treatment .",
    "At {T2} it reaches {V} , where {R} has {V2} .",
    "Instead of {V2} as in {R} , a conductivity of {V} is seen .",
)
SHARE = 0.65  # of all patterns, those that are known
ASKED = {
    "heat": (
        "At what temperature was {} fired ?",
        "How hot was {} made ?",
        "Which calcination temperature did {} need ?",
        "To what temperature was {} heated ?",
        "What temperature gave {} ?",
        "How hot was the furnace for {} ?",
    ),
    "time": (
        "For how long was {} fired ?",
        "How many hours did {} stay in the furnace ?",
        "What was the duration of calcination of {} ?",
        "How long was {} heated ?",
        "For how many hours was {} calcined ?",
        "What duration of heating did {} need ?",
    ),
    "gas": (
        "In which gas was {} fired ?",
        "What atmosphere was used for {} ?",
        "Under what gas was {} made ?",
        "Which atmosphere did the furnace hold for {} ?",
        "Which gas was around {} ?",
        "What gas atmosphere did {} need ?",
    ),
    "value": (
        "What conductivity has {} ?",
        "How well does {} conduct ?",
        "Which conductivity was found for {} ?",
        "How large is the conductivity of {} ?",
        "What was the measured conductivity of {} ?",
        "How conductive is {} , by which value ?",
    ),
}


@dataclass(frozen=True)
class Paper:
    """An abstract.

    Attributes:
        words: its tokens.
        tags: for each token a slot of `SLOTS`, or "" where it belongs to no fact.
        facts: text of each slot.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    facts: dict[str, str]

    @property
    def text(self) -> str:
        """The abstract as one string."""
        return " ".join(self.words)


def materials(seed: int) -> list[str]:
    """All names, such as "cobalt-doped zinc oxide", in an order drawn by `seed`."""
    names = [f"{dopant}-doped {metal} {anion}" for dopant in DOPANTS for metal in METALS for anion in ANIONS]
    random.Random(seed).shuffle(names)
    return names


def write_papers(count: int, seed: int, fresh: bool = False, share: float = SHARE) -> list[Paper]:
    """Papers about as many samples, each another one.

    Args:
        count: number of papers, at most 7,488, the number of materials.
        seed: which sentence patterns are the known ones, and which samples and facts are told.
        fresh: whether to write in the other patterns, about the materials at the other end of the list.
        share: of the patterns, those that are known.

    Raises:
        ValueError: if `count` or `share` is out of range.
    """
    names = materials(seed)
    if not 1 <= count <= len(names):
        raise ValueError(f"count must lie between 1 and {len(names)}, got {count}")
    if not 0 < share <= SHARE:
        raise ValueError(f"share must lie between 0 and {SHARE}, got {share}")
    kinds = []
    for frames in (OPENING, BEFORE, HEATING, RESULT):
        order = random.Random(f"{seed} {frames[0]}").sample(frames, len(frames))
        known = max(1, round(share * len(frames)))
        kinds.append(order[round(SHARE * len(frames)) :] if fresh else order[:known])
    draw = random.Random(f"{seed} {fresh}")
    return [_write(name, names, kinds, draw) for name in (names[::-1] if fresh else names)[:count]]


def _write(name: str, names: list[str], kinds: list, draw: random.Random) -> Paper:
    heats = [f"{hundreds}0 °C" for hundreds in range(35, 125, 5)]
    low = [f"{tens}0 °C" for tens in range(6, 80, 2)]
    times = [f"{hours} h" for hours in (1, 2, 3, 4, 6, 8, 10, 12, 18, 24, 36, 48)]
    values = [f"{tenths / 10} mS/cm" for tenths in range(1, 100)]
    facts = dict(zip(SLOTS, (name, *(draw.choice(each) for each in (heats, times, GASES, values)))))
    true = dict(zip("STtGV", SLOTS))
    reference = draw.choice(names)
    while reference == name:
        reference = draw.choice(names)
    others = {
        "R": [reference],
        "T2": low,
        "t2": times,
        "G2": GASES,
        "V2": values,
        "route": ROUTES,
        "verb": VERBS,
    }
    words, tags = [], []
    for frames in kinds:
        for piece in draw.choice(frames).split():
            key = piece.strip("{}") if piece.startswith("{") else None
            if key in others:
                piece = draw.choice([each for each in others[key] if each not in facts.values()])
            slot = true.get(key, "")
            for word in (facts[slot] if slot else piece).split():
                words.append(word)
                tags.append(slot)
    return Paper(tuple(words), tuple(tags), facts)


def spoken(name: str) -> str:
    """A material in a question's words: "zinc oxide doped with cobalt" for "cobalt-doped zinc oxide"."""
    dopant, host = name.split("-doped ")
    return f"{host} doped with {dopant}"


def ask(names: list[str], seed: int, fresh: bool = False) -> list[tuple[str, str, str]]:
    """Questions about materials: (its words, the material, the slot asked for).

    A seed makes four of the six ways to ask for a slot the known ones and the other two the fresh ones.
    """
    ways = {slot: random.Random(f"{seed} {slot}").sample(frames, len(frames)) for slot, frames in ASKED.items()}
    return [
        (way.format(spoken(name)), name, slot)
        for name in names
        for slot in ways
        for way in (ways[slot][4:] if fresh else ways[slot][:4])
    ]
