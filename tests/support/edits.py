"""Ways to alter bytes, as drawn by hypothesis and by the long runs."""

EDITS = ("flip", "set", "insert", "cut", "tail", "double")
LENGTHS = (b"\x00", b"\x7f", b"\x80", b"\x81\x80", b"\x84\xff\xff\xff\xff", b"\xff", b"\xff\xff")


def edited(data: bytes, edit: tuple[str, int, bytes]) -> bytes:
    how, number, chunk = edit
    at = number % (len(data) + 1)
    match how:
        case "flip":
            end = data[at : at + 1]
            return data[:at] + bytes(b ^ 1 << number % 8 for b in end) + data[at + 1 :]
        case "set":
            return data[:at] + chunk + data[at + len(chunk) :]
        case "insert":
            return data[:at] + chunk + data[at:]
        case "cut":
            return data[:at] + data[at + 1 + len(chunk) :]
        case "tail":
            return data[:at]
        case _:
            return data[:at] + data[at // 2 :]
