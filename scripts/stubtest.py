"""Holds the stub of the native module against the module that is built.

stubtest imports the submodules by name, which only a package has: they are registered first.
"""

import sys
import types

import hangang._native as native
from mypy.stubtest import main

for name, module in vars(native).items():
    if isinstance(module, types.ModuleType):
        sys.modules[f"hangang._native.{name}"] = module

sys.argv[1:] = ["hangang._native"]
sys.exit(main())
