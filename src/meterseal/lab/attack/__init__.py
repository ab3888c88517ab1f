"""The attack range: programs that try to break real endpoints on loopback.

Each family of attacks has a room, a module with `ATTACKS` (`catalogue.py` lists them). `notes.py`
is what an attack writes down; `ends.py` and `identities.py` are the victims and who they are,
`relay.py` is the man in the middle, `wire.py` what he knows of the bytes. `weak.py` holds the
victims that must fall: an attack that succeeds against nobody shows nothing by failing against us.
"""
