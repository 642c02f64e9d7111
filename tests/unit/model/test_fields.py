#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does src/model/fields.c have a row for each member of the structs that it lists, and a word for each value of its enums?

    test_fields.py SOURCE-DIRECTORY

Reads the headers of src/model/ as text: what is forgotten would be missing in every saved case.
"""
import pathlib
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.DOTALL | re.MULTILINE)
ENUM = re.compile(r"^enum (\w+) \{\n(.*?)^\};", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"\b(FIELD|REQUIRED|ERRNO|ENUM|STRUCT|ARRAY|NOT_SAVED)\((\w+), (\w+)(?:, (\w+))?(?:, (\w+))?\)")
WORDS = re.compile(r"^WORDS\((\w+),(.*?)\);", re.DOTALL | re.MULTILINE)
FIELDS = re.compile(r"^FIELDS\((\w+),", re.MULTILINE)
KIND = re.compile(r"^\t(EVENT\(|RECORD\(|\{)\"[a-z-]+\", (\w+),", re.MULTILINE)
NO_FACT = {"EV_PACKET", "EV_HOST"}  # the pcap's, and the records'


def members_of(body):
    """(name, type) of each member of a struct without nested ones; a count that an ARRAY row names is no row of its own."""
    found = []
    for declaration in filter(str.strip, body.split(";")):
        kind, names = re.match(r"\s*((?:const |unsigned |struct |enum )*\w+)\s+(.*)", declaration, re.DOTALL).groups()
        for name in names.split(","):
            found.append((re.search(r"(\w+)\s*(?:\[.*\])?\s*$", name.replace("const ", "")).group(1), kind))
    return found


def values_of(body):
    names = [re.match(r"\s*(\w+)", one).group(1) for one in body.split(",") if one.strip()]
    return {name for name in names if not name.endswith("_COUNT")}


def differences(source):
    headers = COMMENT.sub("", "\n".join(path.read_text() for path in sorted((source / "src/model").glob("*.h"))))
    table = COMMENT.sub("", (source / "src/model/fields.c").read_text())
    table = table[table.index("WORDS(flow_role"):]
    structs, enums = dict(STRUCT.findall(headers)), dict(ENUM.findall(headers))
    rows, counts = {}, set()
    for row, struct, member, third, fourth in ROW.findall(table):
        rows[struct, member] = (row, third)
        if row == "ARRAY":
            counts.add((struct, third))

    for struct in FIELDS.findall(table):
        if struct not in structs:
            if struct != "run_end":
                yield f"there is no struct {struct}"
            continue
        for member, kind in members_of(structs[struct]):
            row, detail = rows.get((struct, member), (None, None))
            if row is None and (struct, member) not in counts:
                yield f"struct {struct}: no row for {member}"
            elif kind.startswith("enum ") and (row, detail) not in (("ENUM", kind[5:]), ("NOT_SAVED", "")):
                yield f"struct {struct}: {member} is an {kind}, its row is {row} {detail}"
            elif kind.startswith("struct ") and kind != "struct addr" and row not in ("STRUCT", "ARRAY", "NOT_SAVED"):
                yield f"struct {struct}: {member} is a {kind}, its row is {row}"
            elif kind == "int" and row == "FIELD" and member == "error":
                yield f"struct {struct}: {member} is an errno, its row is {row}"
    for enum, words in WORDS.findall(table):
        named = set(re.findall(r"\[(\w+)\] = \"[a-z0-9-]+\"", words))
        for value in values_of(enums[enum]) ^ named:
            yield f"enum {enum}: no word for {value}"
    kinds = {value for _, value in KIND.findall(table)}
    for value in (values_of(enums["event_kind"]) | values_of(enums["host_record_kind"])) - NO_FACT ^ kinds:
        yield f"no kind of fact for {value}"


def main():
    found = list(differences(pathlib.Path(sys.argv[1])))
    for line in found:
        print(f"fields.c: {line} (docs/cases.md tells how to add it)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
