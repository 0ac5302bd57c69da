"""A small complete lesson, and a course folder that holds it, for the tests of the build."""

from pathlib import Path

from tinyfrontier.authoring.lessons import ROOT

CURRICULUM = (ROOT / "lessons" / "curriculum.yml").read_text(encoding="utf-8")

TOY = '''---
number: 0
slug: start_here
title: Start here
minutes: 5
exercises: [mean_squared_error]
budget: {reference_seconds: 0, peak_mib: 0}
---

# A toy page

Some prose, with `code` and

```text
a fence for reading
```

```python
import torch
```

Before the exercise.

```python tags=["exercise"] name="mean_squared_error"
def mean_squared_error(prediction, target):
    """Mean squared error."""
    ### BEGIN SOLUTION
    error = prediction - target
    return (error**2).mean()
    ### END SOLUTION
```

Words between.

```python tags=["check"] name="mean_squared_error"
from tinyfrontier.exercises import checker

mean_squared_error = checker(0)(mean_squared_error)
```

A cell for instructors, and one whose text is compared.

```python tags=["instructor"]
SECRET = 41 + 1
```

```python tags=["nbval-check-output"]
print(f"{mean_squared_error(torch.ones(2), torch.zeros(2)):.1f}")
```
'''

LESSON = '''---
number: 1
slug: self_attention
title: Self-attention from scratch
part: 1
sections: [L1.1, F1]
claim: A toy claim.
prerequisites: []
minutes: 5
exercises: []
budget: {reference_seconds: 0, peak_mib: 0}
---

# 01 · A toy lesson

Words.

```python
import matplotlib.pyplot as plt
from ipywidgets import IntSlider

from tinyfrontier.show import panel, picture, verdict


def draw(height):
    """A line of a height."""
    figure, axes = plt.subplots(figsize=(2, 2))
    axes.plot([0, height])
    return figure, f"height {height}"
```

```python
picture(draw(2)[0], "A line that rises to two", signature=True)
```

```python tags=["panel"]
play = panel(draw, alt="A line whose height follows the slider", height=IntSlider(3, min=1, max=5))
play
```

```python tags=["instructor", "nbval-check-output"]
play.prove()
```

```python tags=["verdict"]
verdict("A toy claim.", {"width": 2, "share": 0.98765}, holds=True, sections=["L1.1"], lesson=1)
```
'''


def course_folder(folder: Path, *, lesson: bool = False) -> Path:
    """Make `folder` a course with the toy start page, and the toy lesson if asked for."""
    (folder / "lessons").mkdir(parents=True, exist_ok=True)
    (folder / "lessons" / "curriculum.yml").write_text(CURRICULUM, encoding="utf-8")
    (folder / "lessons" / "00_start_here.md").write_text(TOY, encoding="utf-8")
    if lesson:
        (folder / "lessons" / "01_self_attention.md").write_text(LESSON, encoding="utf-8")
    regions = ("signatures", "lessons", "routes", "tally")
    text = "# Toy\n" + "".join(f"\n<!-- begin {name} -->\n<!-- end {name} -->\n" for name in regions)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder
