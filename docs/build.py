"""Write the reference of the public face as HTML; arguments: a folder, then the modules."""

import sys
from importlib import import_module
from pathlib import Path

import pdoc

folder, *modules = sys.argv[1:]
for module in map(import_module, modules):
    for name in getattr(module, "__all__", ()):
        getattr(module, name)  # names that are loaded only when they are asked for
pdoc.pdoc(*modules, output_directory=Path(folder))
