"""The mirror rule: the crate and the pure implementation have the same files, and in them the same functions.

Each file of `rust/hangang/src` has its twin in `python/hangang/_pure`, and what a function is called there it is
called here (without Python's leading underscore). What exists on one side only is listed below with its reason: a new
function on one side needs its twin, or a line here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support import REPO

CRATE = REPO / "rust" / "hangang" / "src"
PURE = REPO / "python" / "hangang" / "_pure"

#: Files that have no twin.
CRATE_FILES = {
    "lib": "the public surface; `_pure/__init__.py` is that of the native module",
    "events": "an iterator of events: `hangang/streams.py` has it for both implementations",
    "predict/in_flight": "a frame is followed through chunks; a step a piece would cost more here than it saves",
    "framing/event_id": "ids are strings here, which share themselves",
    "dialects/debug": "`Debug` by hand; here `value.py` derives `repr`",
}
PURE_FILES = {
    "__init__": "see `lib`",
    "base": "what the binding's `parser.rs` does: input types, one caller at a time, what follows an error",
    "value": "derives the event classes, as the binding's `events.rs` does for the native ones",
}

#: Names that every file of the crate may have.
CRATE_NAMES = {
    "Rust's traits, constructors and ownership": """arc as_bytes as_ref boxed clone default deref drop eq fmt from hash
        into_owned kind len next new offset own to_arc is_space""",
    "the surface of an enum of events: classes here": """common deferred event is_known malformed raw text thinking""",
    "the surface of the crate's own parsers; here it is in `base.py`": """close examined fail failed feed feed_into
        feed_with is_closed require_open take_deferred with_dialect""",
}
#: Names that every file of the pure implementation may have.
PURE_NAMES = {
    "states and locks, as the binding has them": "advance drop feed",
    "the hooks of `base.py`": "fail finish pending",
    "what Rust hands out by a struct's fields": "is_between_frames",
}

#: One file each: (names, why).
CRATE_ONLY: dict[str, dict[str, str]] = {
    "dialect": {
        "a frame's text is read where it is needed": "plain_text",
        "prediction is off where the constructor says so": "may_predict",
    },
    "dialects/a2a": {
        "members are read by a cursor; here from a dict": """artifacts data inner is_rest join message_text
            optional_json_object or parts_of read state status""",
        "the choice among shapes is `classify`": "event_of_member failure",
        "the constructor takes `end`": "with_end",
    },
    "dialects/clova": {
        "members are read by a cursor; here from a dict": "message read status",
        "a whole answer is a `result`": "answer",
    },
    "dialects/exaone": {
        "members are read by a cursor; here from a dict": "has_content read_data",
        "references are shared by `shared_references`": "share",
    },
    "dialects/openai": {
        "members are read by a cursor; here from a dict": """answer content decode_json error first function_call not_json
            or part_text push_to raw_choice read status token_details x_groq""",
        "the dialect's state": "all_finished complete error_members get is_held is_http_error main_choice may_predict",
        "the constructor takes the tags": "with_thinking_tags",
    },
    "dialects/thinking_tags": {"what a piece of text costs": "emit held splitter"},
    "dialects/wire": {
        "members are read by a cursor; here from a dict": """function joined_scalar_parts optional_list
            optional_object""",
    },
    "error": {"here a table": "first_byte_look"},
    "framing": {"buffers are shared with the caller there": "clear_and_shrink"},
    "framing/frame": {
        "of a list of lines, which is two numbers a line here": "clear",
        "the parser looks at the payload, the framer at the line": "is_outside_data marker",
    },
    "framing/bom": {"a field": "is_done"},
    "framing/detect": {"in `feed`": "count decide first_byte held"},
    "framing/json_stream": {
        "one loop over a chunk, without the parts of a step": """after_bom begin_frame begin_value dispatch not_a_value
            release skip_space""",
    },
    "framing/sse": {
        "a line is split and read in `next_frame` and `on_line`; see the head of `sse.py`": """begin begin_data_line
            check_held_line copy_in_place dispatch drop_line extend_line finish_line is_blank layout next_line
            read_field read_held_line read_retry release skip_bom skip_lf""",
        "prediction moves the framer there": "begin_frame resume set_last_event_id skip_frame",
        "attributes, or members of `LastFrames`": "came ends_inside held_outside poison reject_outside",
        "`str` is what Python has": "event_name",
    },
    "json": {
        "a cursor walks the payload; here the C scanner builds the value": """array clear decode depth end hex4 in_object
            is_true kind_or mark name object open optional_integer optional_label optional_span optional_string peek
            placed_integer plain_end pop push scalar scalar_text since skip skip_kind step""",
    },
    "parser": {
        "a frame is followed through chunks": "fall_back predict_in_flight resume",
        "in `feed`": "prepend_deferred",
        "prediction is one call: `read_frames`": "predict predict_frame",
        "the two framings are asked alike": "begin_frame came ends_inside keep next_frame reject_outside",
        "one result instead of several calls": "decode_last feed_frames finish_frames finish_outside frame_of is_object",
    },
    "predict/budget": {"bytes are counted there": "signed"},
    "predict/common": {"`reconstruct` is given the parts": "bytes is_template set_pattern"},
    "predict/template": {
        "one closure reads frame after frame; see the head of `predict`": """begins_alike fields find_match first id_end
            matches may_learn read_counter string text_and_thinking""",
    },
    "service": {"regular expressions do it here": "module of string_length trimmed without_lead"},
    "span": {"a span is a plain tuple here": "of relative_to shifted"},
}
PURE_ONLY: dict[str, dict[str, str]] = {
    "dialect": {
        "holes are looked for only when a template is learnt": "holes",
        "what is held for later frames is dropped by hand": "release",
    },
    "dialects/a2a": {
        "the choice among shapes": "classify",
        "readers of dicts": "error message_parts metadata_of objects status_of",
        "in `decode` there": "follow",
        "see `dialect`": "holes",
    },
    "dialects/clova": {"see `dialect`": "holes", "one function a kind of event": "result signal"},
    "dialects/exaone": {"see `dialect`": "holes release", "readers of dicts": "shared_references unknown"},
    "dialects/openai": {
        "the choice among shapes": "classify flat_failure",
        "readers of dicts": "fields follow joined places reasoning scalar usage_of",
        "see `dialect`": "first_string has_message holes",
        "types are checked by hand": "check_tags",
    },
    "dialects/thinking_tags": {"the end of a match at the start": "first leave"},
    "dialects/wire": {"readers of dicts": "content fold_ascii label"},
    "error": {"exceptions instead of values": "at found message to_error truncated unrecognized"},
    "framing/detect": {"in `feed` there": "count_space"},
    "framing/json_stream": {"a chunk is announced once": "begin_chunk"},
    "framing/sse": {
        "a chunk is announced once": "begin_chunk",
        "in `resume` there": "indent",
        "a value": "on_data",
    },
    "json": {
        "finders of places in a valid text": "item member skip_value span string_span",
        "readers of dicts": "as_int as_str",
        "only when the C scanner fails": "first_error invalid_utf8",
    },
    "parser": {
        "the two framings have a loop each": "advance_json parse_event",
        "text held back": "take_held",
        "a template is made from the bytes of the frame": "learn learn_sse",
        "the end": "finish_frame",
    },
    "predict/budget": {"templates are counted": "may_learn"},
    "predict/common": {"a property of the event": "raw_of"},
    "predict/template": {
        "one closure reads frame after frame; see the head of `predict`": """compile is_same lead_of read_counters
            read_frames run""",
    },
    "service": {"parts of `detect`": "find_service look_of weak_evidence window_of"},
    "whole": {
        "what the binding's `whole.rs` does": "read_bodies",
        "a run of events is merged at once": "merged",
    },
}


def crate_functions(path: Path) -> set[str]:
    text = re.split(r"#\[cfg\(test\)\]\s*mod ", path.read_text(encoding="utf-8"))[0]
    return set(re.findall(r"\bfn (\w+)", re.sub(r"//[^\n]*", "", text)))


def pure_functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name.strip("_")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("__")
    }


def files(root: Path, suffix: str, folder: str) -> dict[str, Path]:
    """Every file by its path without suffix; a folder's own file has the folder's name."""
    found = {}
    for path in root.rglob(f"*{suffix}"):
        place = path.relative_to(root).with_suffix("")
        found["/".join(place.parts[:-1] if place.name == folder and place.parent.parts else place.parts)] = (
            path
        )
    return found


CRATE_TREE = files(CRATE, ".rs", "mod")
PURE_TREE = files(PURE, ".py", "__init__")
PAIRS = sorted(set(CRATE_TREE) & set(PURE_TREE))


def listed(table: dict[str, str]) -> set[str]:
    """All names of a table."""
    return {name for names in table.values() for name in names.split()}


def test_the_trees_have_the_same_files() -> None:
    assert set(CRATE_TREE) - set(PURE_TREE) == set(CRATE_FILES)
    assert set(PURE_TREE) - set(CRATE_TREE) == set(PURE_FILES)


@pytest.mark.parametrize("name", PAIRS)
def test_the_files_have_the_same_functions(name: str) -> None:
    crate, pure = crate_functions(CRATE_TREE[name]), pure_functions(PURE_TREE[name])
    crate_only = crate - pure - listed(CRATE_NAMES)
    pure_only = pure - crate - listed(PURE_NAMES)
    assert crate_only == listed(CRATE_ONLY.get(name, {})), "only in the crate"
    assert pure_only == listed(PURE_ONLY.get(name, {})), "only in the pure implementation"
