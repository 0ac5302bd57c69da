"""The course's colours: Okabe and Ito's palette, which colour-blind readers tell apart. Needs nothing."""

COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#8C8C8C",
    "black": "#000000",
}
