"""Frames of DL/T 645 from public sources, one line each; checksums are those of the sources.

[example]   meter 202611230001, built with the PyPI package dlt645 3.2.0 and a second own routine
[tester]    replay table of a public Android meter tester (com.sansheng.testcenter), single-phase
            fee-control meter 201000000012
[plc]       power-line task report of meter 231214000134, from the tests of a public parser
[explained] protocol explanations with bus logs (553668.com 786292, and others on its pattern)
[ebyte]     Ebyte's laboratory note (eet-china.com 114707)
[1997]      frames of DL/T 645-1997 (the second: a maker's manual, manualshive.com 2128413)
[stray]     WKJay/DLT645, issue 10: five stray bytes behind a frame, from a real port
"""

from typing import Final

METER: Final = "202611230001"

QUESTIONS: Final = {  # of "example": a request, and what it asks
    "68 01 00 23 11 26 20 68 11 04 33 32 34 35 2E 16": 0x0201FF00,
    "68 01 00 23 11 26 20 68 11 04 33 32 35 35 2F 16": 0x0202FF00,
    "68 01 00 23 11 26 20 68 11 04 33 32 36 35 30 16": 0x0203FF00,
    "68 01 00 23 11 26 20 68 11 04 33 32 37 35 31 16": 0x0204FF00,
    "68 01 00 23 11 26 20 68 11 04 33 32 38 35 32 16": 0x0205FF00,
    "68 01 00 23 11 26 20 68 11 04 33 32 39 35 33 16": 0x0206FF00,
    "68 01 00 23 11 26 20 68 11 04 35 33 B3 35 B0 16": 0x02800002,
    "68 01 00 23 11 26 20 68 11 04 33 32 34 33 2C 16": 0x0001FF00,
    "68 01 00 23 11 26 20 68 11 04 33 33 34 34 2E 16": 0x01010000,
    # of the sources "tester" and "explained"
    "68 12 00 00 00 10 20 68 11 04 33 32 34 33 F3 16": 0x0001FF00,
    "68 12 00 00 00 10 20 68 11 04 33 32 34 35 F5 16": 0x0201FF00,
    "68 12 00 00 00 10 20 68 11 04 34 34 33 37 F9 16": 0x04000101,
    "68 25 04 03 02 01 00 68 11 04 33 33 34 33 E1 16": 0x00010000,
}

ANSWERS: Final = {  # answer, and the numbers in it in steps of the last decimal
    # of the source "example"
    "68 01 00 23 11 26 20 68 91 0A 33 32 34 35 34 56 CC 55 47 56 FC 16": (2301, 2299, 2314),
    "68 01 00 23 11 26 20 68 91 0D 33 32 35 35 56 84 33 BA 7C 33 34 86 B3 9B 16": (
        5123, 4987, -5301,
    ),
    "68 01 00 23 11 26 20 68 91 10 33 32 36 35 45 43 34 44 4A 34 35 47 34 34 54 B4 26 16": (
        11012, 11711, 11402, -12101,
    ),
    "68 01 00 23 11 26 20 68 91 0C 33 32 39 35 B4 3C C6 3C C7 3C BA BC 26 16": (
        981, 993, 994, -987,
    ),
    "68 01 00 23 11 26 20 68 91 06 35 33 B3 35 CB 7C 79 16": (4998,),
    "68 01 00 23 11 26 20 68 91 18 33 32 34 33 89 67 45 33 33 33 36 33 83 33 37 33 39 67 37 33"
    " 33 33 34 33 EE 16": (123456, 30000, 40050, 43406, 10000),
    # of the source "tester"
    "68 12 00 00 00 10 20 68 91 18 33 32 34 33 5C 34 33 33 95 33 33 33 93 33 33 33 36 33 33 33"
    " 35 33 33 33 74 16": (129, 62, 60, 3, 2),
    "68 12 00 00 00 10 20 68 91 0A 33 32 34 35 89 55 32 32 32 32 21 16": (2256, None, None),
    "68 12 00 00 00 10 20 68 91 07 33 40 63 36 5A 33 33 76 16": (27,),
    "68 12 00 00 00 10 20 68 91 08 33 35 C3 33 89 CB 34 33 C4 16": (19856,),
    # of the source "plc"
    "68 34 01 00 14 12 23 68 91 06 33 34 34 35 A4 56 AF 16": (2371,),
    "68 34 01 00 14 12 23 68 91 06 33 35 34 35 32 32 1A 16": (None,),
    "68 34 01 00 14 12 23 68 91 06 33 36 34 35 32 32 1B 16": (None,),
    "68 34 01 00 14 12 23 68 91 0A 33 32 34 35 A4 56 32 32 32 32 79 16": (2371, None, None),
    # of the source "explained"
    "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16": (1001,),
    "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16": (26,),
    "68 25 04 03 02 01 00 68 91 08 33 33 34 33 75 39 45 33 8B 16": (120642,),
    "68 22 22 00 30 70 03 68 91 06 33 34 34 35 33 55 A6 16": (2200,),
    "68 11 11 11 11 11 11 68 91 06 33 34 34 35 67 56 5A 16": (2334,),
    "68 00 00 02 08 18 20 68 91 06 33 34 34 35 34 44 F1 16": (1101,),  # its text says 111.1 V
    # of the source "ebyte"
    "68 03 20 12 22 20 65 68 91 08 33 33 33 33 33 33 33 33 DD 16": (0,),
    "68 18 20 12 22 20 65 68 91 0A 33 32 34 35 33 33 33 33 C7 56 13 16": (0, 0, 2394),
}  # fmt: skip

DEMAND: Final = "68 01 00 23 11 26 20 68 91 0C 33 33 34 34 38 54 36 78 4C 53 44 59 2C 16"
DATE: Final = "68 12 00 00 00 10 20 68 91 08 34 34 33 37 34 44 34 49 72 16"
TIME: Final = "68 12 00 00 00 10 20 68 91 07 35 34 33 37 88 86 54 DF 16"
FREEZE_TIME: Final = "68 12 00 00 00 10 20 68 91 09 34 33 39 38 33 33 3C 43 48 B1 16"

READ_ADDRESS: Final = "68 AA AA AA AA AA AA 68 13 00 DF 16"
ADDRESS: Final = "68 01 00 23 11 26 20 68 93 06 34 33 56 44 59 53 91 16"
TESTER_ADDRESS: Final = "68 12 00 00 00 10 20 68 93 06 45 33 33 33 43 53 1F 16"
NO_SUCH_DATA: Final = "68 01 00 23 11 26 20 68 D1 01 35 52 16"
TESTER_NO_SUCH_DATA: Final = "68 12 00 00 00 10 20 68 D1 01 35 19 16"

BROADCAST_TIME: Final = "68 99 99 99 99 99 99 68 08 06 63 48 39 56 44 59 4B 16"
FREEZE_NOW: Final = "68 99 99 99 99 99 99 68 16 04 CC CC CC CC B0 16"
WRITE_TIME: Final = (
    "68 01 00 23 11 26 20 68 14 0F 35 34 33 37 35 33 33 33 33 33 33 33 63 48 39 BF 16"
)
WRITTEN: Final = "68 01 00 23 11 26 20 68 94 00 DF 16"
NOT_AUTHORISED: Final = "68 01 00 23 11 26 20 68 D4 01 37 57 16"
AUTHENTICATE: Final = (
    "68 01 00 23 11 26 20 68 03 20 32 33 33 3A 33 33 33 33 34 35 36 37 38 39 3A 3B 44 45 46 47 48"
    " 49 4A 4B 54 55 56 57 58 59 5A 5B C0 16"
)
AUTHENTICATED: Final = (
    "68 01 00 23 11 26 20 68 83 10 32 33 33 3A D4 D5 D6 D7 33 33 33 33 33 33 59 44 D5 16"
)

OF_1997: Final = (
    "68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16",
    "68 03 00 00 00 00 00 68 01 02 44 E9 03 16",
)
STRAY: Final = "68 AA AA AA AA AA AA 68 11 04 33 34 34 35 B1 16 A0 09 44 9D 7F"

SINGLE: Final = (
    DEMAND, DATE, TIME, FREEZE_TIME, READ_ADDRESS, ADDRESS, TESTER_ADDRESS, NO_SUCH_DATA,
    TESTER_NO_SUCH_DATA, BROADCAST_TIME, FREEZE_NOW, WRITE_TIME, WRITTEN, NOT_AUTHORISED,
    AUTHENTICATE, AUTHENTICATED, *OF_1997,
)  # fmt: skip
ALL: Final = (*QUESTIONS, *ANSWERS, *SINGLE)
