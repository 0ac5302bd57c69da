"""Makes the system accounts of a class, with passwords on slips to hand out. Run it as root, on the hub's server.

    sudo python3 hub/accounts.py class.txt --slips slips.csv
    sudo python3 hub/accounts.py class.txt --remove

`class.txt` holds one name a line; a name with ` teacher` behind it may see the others' servers. Names that exist
already and are in the class keep their password and files. Needs only the standard library and the system's own tools.
"""

from __future__ import annotations

import argparse
import csv
import grp
import os
import pwd
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

STUDENTS, TEACHERS = "tinyfrontier", "tinyfrontier-teachers"
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without what looks alike on paper


def read_class(text: str) -> dict[str, str]:
    """The group of each name in a class list; empty lines and lines that begin with # do not count.

    Raises:
        ValueError: if a line is not `name` or `name teacher`, or a name comes twice.
    """
    groups: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not NAME.fullmatch(words[0]) or words[1:] not in ([], ["teacher"]):
            raise ValueError(
                f"line {number} must be a name of small letters, digits and hyphens, with or without the word teacher "
                f"behind it, got {line.strip()!r}"
            )
        if words[0] in groups:
            raise ValueError(f"line {number}: {words[0]} stands in the list twice")
        groups[words[0]] = TEACHERS if words[1:] else STUDENTS
    if not groups:
        raise ValueError("the list must hold at least one name, got none")
    return groups


def password() -> str:
    """Ten characters, 49 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(10))


def exists(name: str) -> bool:
    """Whether the system has an account of that name."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def belongs(name: str) -> bool:
    """Whether an account belongs to a class."""
    for group in (STUDENTS, TEACHERS):
        try:
            if name in grp.getgrnam(group).gr_mem:
                return True
        except KeyError:
            continue
    return False


def run(*command: str, given: str | None = None) -> None:
    """Run one of the system's tools.

    Raises:
        OSError: with what the tool said, if it failed.
    """
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")


def make(groups: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Make the accounts that are missing; yields name and password of each new one as soon as it is there.

    Raises:
        ValueError: if a name is that of an account outside the class: its owner would be let in.
        OSError: if one of the system's tools failed.
    """
    strangers = [name for name in groups if exists(name) and not belongs(name)]
    if strangers:
        raise ValueError(f"these names belong to accounts outside the class, choose others: {', '.join(strangers)}")
    for group in (STUDENTS, TEACHERS):
        run("groupadd", "--force", group)
    for name, group in groups.items():
        if exists(name):
            continue
        secret = password()
        run("useradd", "--create-home", "--shell", "/bin/bash", "--groups", group, name)
        os.chmod(pwd.getpwnam(name).pw_dir, 0o700)
        run("chpasswd", given=f"{name}:{secret}\n")
        yield name, secret


def remove(groups: dict[str, str]) -> list[str]:
    """Remove the accounts of a class with their files; returns the names.

    Raises:
        OSError: if one of the system's tools failed, because an account is still in use for one.
    """
    gone = [name for name in groups if exists(name) and belongs(name)]
    for name in gone:
        run("userdel", "--remove", name)
    return gone


def write_slips(path: Path, passwords: Iterable[tuple[str, str]]) -> int:
    """Write names and passwords as CSV that only its owner can read, each as it comes; returns how many.

    Raises:
        FileExistsError: if the file is there already: it would be the only copy of a class' passwords.
    """
    count = 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "password"))
        for count, row in enumerate(passwords, 1):  # noqa: B007 - counted for the return value
            rows.writerow(row)
            file.flush()
    return count


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="accounts.py", description=__doc__.split("\n")[0])
    parser.add_argument("list", type=Path, help="one name a line")
    parser.add_argument("--slips", type=Path, default=Path("slips.csv"), help="where the passwords go")
    parser.add_argument("--remove", action="store_true", help="remove the accounts and all their files")
    options = parser.parse_args(arguments)
    try:
        groups = read_class(options.list.read_text(encoding="utf-8"))
        if os.geteuid() != 0:
            raise PermissionError("accounts are made by root: begin the command with sudo")
        if options.remove:
            print(f"{len(remove(groups))} accounts removed, with their files.")
            return 0
        made = write_slips(options.slips, make(groups))
    except FileExistsError:
        print(f"accounts.py: {options.slips} is there already, give --slips another name", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"accounts.py: {error}", file=sys.stderr)
        return 1
    print(f"{made} accounts made, {len(groups) - made} were there. Passwords: {options.slips}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
