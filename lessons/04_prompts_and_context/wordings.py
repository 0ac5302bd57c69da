"""What lesson 04 puts in front of a prompt: five wordings of each kind, and five sentences about something else."""

ADDITIONS = {
    "a role": (
        "You are an expert in Python.",
        "You are a careful reviewer of Python code.",
        "Below is the work of an expert who knows every type.",
        "You know all of NumPy and SciPy by heart.",
        "You are a helpful assistant for programmers.",
    ),
    "an instruction": (
        "Give the type of each parameter.",
        "For every parameter below, write its type.",
        "Complete the documentation with the right types.",
        "Name the type that this parameter has.",
        "Fill in the type after the colon.",
    ),
    "the options": (
        "The type is int, float, bool, str, array_like or callable.",
        "Possible types: int, float, bool, str, array_like, callable.",
        "Answer with one of int, float, bool, str, array_like and callable.",
        "Choose between int, float, bool, str, array_like and callable.",
        "Types are callable, array_like, str, bool, float and int.",
    ),
    "something else": (
        "Bread is made of flour, water, salt and yeast.",
        "It was a fine day in May.",
        "The train to the coast leaves at nine.",
        "Her brother plays the cello in an orchestra.",
        "Most rivers of that country flow north.",
    ),
}
