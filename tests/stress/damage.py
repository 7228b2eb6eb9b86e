"""Random damages of a saved search or sweep: files that are cut, flipped, lost, swapped, edited."""

import json
import shutil
import zlib

DAMAGES = ("truncate", "flip", "delete", "swap", "empty", "edit", "foreign", "another")
OTHER = (None, "text", True, [], {}, [[1]], {"a": 1})
"""Values of another type than a number; text and lists become numbers."""


def damage(folder, chance, other=None):
    """Damage a folder once, at random, and say how.

    `other`: a folder of the same kind whose files take the place of these ones.
    """
    kind = chance.choice(DAMAGES if other else DAMAGES[:-1])
    files = sorted(x for x in folder.rglob("*") if x.is_file())
    file = chance.choice(files)
    where = file.relative_to(folder)
    if kind == "truncate":
        file.write_bytes(file.read_bytes()[: chance.randrange(max(1, file.stat().st_size))])
    elif kind == "flip":
        content = bytearray(file.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(bytes(content))
    elif kind == "delete" and (folder / "weights").exists() and chance.random() < 0.2:
        where = "weights"
        shutil.rmtree(folder / where)
    elif kind == "delete":
        file.unlink()
    elif kind == "swap":
        second = chance.choice(files)
        one, two = file.read_bytes(), second.read_bytes()
        file.write_bytes(two)
        second.write_bytes(one)
        where = f"{where} and {second.name}"
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "edit":
        file = chance.choice([x for x in files if x.suffix in (".json", ".jsonl")])
        where = f"{file.name}: {edit(file, chance)}"
    elif kind == "foreign":
        names = ("notes.txt", "weights/model.npz", "search-best.json", "old/a.txt", ".DS_Store")
        place = folder / chance.choice(names)
        place.parent.mkdir(exist_ok=True)
        place.write_text("mine")
        where = place.relative_to(folder)
    else:
        found = {x.relative_to(other): x for x in other.rglob("*") if x.is_file()}
        shared = [x for x in files if x.relative_to(folder) in found]
        where = chance.choice(shared).relative_to(folder)
        shutil.copy(found[where], folder / where)
    return f"{kind} {where}"


def edit(file, chance):
    """Replace a value in the JSON of a file by one of another type; half are sealed again."""
    lines = file.read_bytes().split(b"\n")
    sealed = len(lines[0]) == 8  # the notes of a search: a checksum, and one line
    i = 1 if sealed else chance.randrange(len(lines) - 1)
    tree = json.loads(lines[i])
    path, place, key = [], tree, None
    while isinstance(place, dict | list) and place and (key is None or chance.random() < 0.8):
        holder = place
        key = chance.choice(sorted(holder) if isinstance(holder, dict) else range(len(holder)))
        place = holder[key]
        path.append(key)
    is_number = isinstance(place, int | float) and not isinstance(place, bool)
    new = chance.choice(OTHER if is_number else (7, *OTHER[2:3]))
    holder[key] = new
    again = chance.random() < 0.5
    if again and not sealed and "crc32" in tree:
        head = json.loads(lines[0])
        for values in (tree, head):
            values.pop("crc32", None)
        tree["crc32"] = zlib.crc32(json.dumps([tree, head] if i else [tree]).encode())
    lines[i] = json.dumps(tree).encode()
    if again and sealed:
        lines[0] = b"%08x" % zlib.crc32(lines[1])
    file.write_bytes(b"\n".join(lines))
    return f"{path} = {new!r}{', sealed' if again else ''}"
