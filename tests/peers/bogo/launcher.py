"""What the runner starts for each case: hands it to the zygote and ends with its exit code.

    python launcher.py SOCKET FLAG...

Imports next to nothing, because it is started thousands of times.
"""

import _socket
import array
import json
import sys


def main() -> int:
    streams = array.array("i", (1, 2))
    zygote = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    zygote.connect(sys.argv[1])
    arguments = json.dumps(sys.argv[2:]).encode()
    zygote.sendmsg([arguments], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    code = zygote.recv(1)
    return code[0] if code else 1


if __name__ == "__main__":
    sys.exit(main())
