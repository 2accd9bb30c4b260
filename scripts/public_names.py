"""An extension of griffe, which reads the sources for the site.

`StreamParser = impl.clova.StreamParser` is an attribute for griffe. It becomes an alias of the class in
`hangang._pure`, so the reference shows the class as `hangang.clova.StreamParser`.

`text: str = field("What it is.", default="")` becomes an attribute of that default and that docstring.
"""

from __future__ import annotations

import ast
from typing import Any

import griffe


class PublicNames(griffe.Extension):
    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        call = attr.value
        if not isinstance(call, griffe.ExprCall) or str(call.function) not in ("field", "common"):
            return
        keywords = {each.name: each.value for each in call.arguments if isinstance(each, griffe.ExprKeyword)}
        doc = call.arguments[0]
        if isinstance(doc, str) and "default" in keywords:  # a field of `hangang._pure.value`
            attr.docstring = griffe.Docstring(ast.literal_eval(doc), parent=attr)
            default = keywords["default"]
            # The default of a type that None is not of: `cast(ParseError, None)`.
            attr.value = default.arguments[-1] if isinstance(default, griffe.ExprCall) else default

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        modules = [pkg]
        for module in modules:
            for name, member in list(module.members.items()):
                if member.is_alias:
                    continue
                if isinstance(member, griffe.Module):
                    modules.append(member)
                elif isinstance(member, griffe.Attribute) and str(member.value).startswith("impl."):
                    target = f"{pkg.path}._pure{str(member.value).removeprefix('impl')}"
                    module.set_member(name, griffe.Alias(name, target, parent=module))
