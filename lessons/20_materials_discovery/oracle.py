"""Asks lesson 20's oracle for every crystal and stores the answers; `python -m tinyfrontier.beside.lesson_20.oracle`.

It takes about ten minutes on one core, and the lesson then reads `oracle.csv` with `crystals.load_energies`.
"""

from tinyfrontier.beside.lesson_20.crystals import STORED, header, pool, relaxed_energy

from tinyfrontier.training import progress

if __name__ == "__main__":
    rows = [f"{crystal.name},{relaxed_energy(crystal.atoms()):.5f}" for crystal in progress(pool(), "asking EMT")]
    STORED.write_text("\n".join([header(), *rows]) + "\n", encoding="utf-8")
    print(f"{len(rows)} energies, {STORED.stat().st_size / 1e3:.0f} kB")
