"""The trace follows the trace event format, and its durations are the measured ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphlint.report.trace import render
from graphlint.results import ModelReport
from tests.report import measured

NAMES = {1: "nodes", 2: "kernels"}


def events_of(*models: ModelReport) -> list[dict[str, Any]]:
    events = json.loads(render(measured.report(*models)))["traceEvents"]
    assert isinstance(events, list)
    return events


def spans(events: list[dict[str, Any]], track: str, process: int = 1) -> list[dict[str, Any]]:
    return [
        event
        for event in events
        if event["ph"] == "X" and NAMES[event["tid"]] == track and event["pid"] == process
    ]


def nanoseconds(value: float) -> int:
    whole = round(value * 1000)
    assert whole == pytest.approx(value * 1000, abs=1e-3)
    return whole


@pytest.mark.parametrize("model", [measured.timed(measured.small()), measured.large(500)])
def test_events_have_the_fields_of_their_phase(model: ModelReport) -> None:
    for event in events_of(model):
        assert event["ph"] in {"M", "X", "s", "f"}
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name", "thread_sort_index"}
            assert event["args"].keys() == {"sort_index" if "sort" in event["name"] else "name"}
            continue
        assert isinstance(event["cat"], str)
        assert event["ts"] >= 0
        if event["ph"] == "X":
            assert event["dur"] >= 0
        if event["ph"] == "f":
            assert event["bp"] == "e"


def test_tracks_are_named() -> None:
    events = events_of(measured.timed(measured.small()))
    named = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert named == NAMES
    assert events[0]["args"]["name"] == "m.onnx"


@pytest.mark.parametrize("model", [measured.timed(measured.small()), measured.large(500)])
@pytest.mark.parametrize("track", ["nodes", "kernels"])
def test_spans_of_a_track_follow_one_another(model: ModelReport, track: str) -> None:
    end = 0
    for event in spans(events_of(model), track):
        assert nanoseconds(event["ts"]) >= end
        end = nanoseconds(event["ts"]) + nanoseconds(event["dur"])


def test_kernels_stand_in_the_order_of_execution_and_last_as_measured() -> None:
    kernels = spans(events_of(measured.timed(measured.small())), "kernels")
    assert [(kernel["name"], kernel["dur"]) for kernel in kernels] == [
        ("FusedConv /unit/Conv", 900.0),
        ("Add /unit/Add", 100.0),
        ("Odd /tail/Odd", 33.333),
        ("ReorderInput (inserted)", 50.0),
    ]
    assert kernels[0]["args"]["nodes"] == "/unit/Conv, /unit/Relu"


def test_nodes_lie_within_their_kernels() -> None:
    events = events_of(measured.timed(measured.small()))
    kernels = {kernel["name"]: kernel for kernel in spans(events, "kernels")}
    nodes = spans(events, "nodes")
    assert [node["name"] for node in nodes] == [
        "/unit/Conv",
        "/unit/Relu",
        "/unit/Add",
        "/tail/Odd",
    ]
    for node in nodes:
        kernel = kernels[node["args"]["kernel"]]
        assert kernel["ts"] <= node["ts"]
        assert node["ts"] + node["dur"] <= kernel["ts"] + kernel["dur"] + 1e-9
    assert nodes[0]["args"] == {
        "operator": "Conv",
        "category": "convolution",
        "how": "fused",
        "kernel": "FusedConv /unit/Conv",
        "spread": 0.02,
        "multiply_adds": 4000,
        "memory_access_bytes": 1000,
        "parameters": 50,
        "region": "/unit/Add",
    }
    assert nodes[-1]["args"]["unknown"] == "no one knows"
    assert "multiply_adds" not in nodes[-1]["args"]


def test_an_arrow_leads_from_each_node_to_its_kernel() -> None:
    events = events_of(measured.timed(measured.small()))
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert len(starts) == len(spans(events, "nodes"))
    for key, start in starts.items():
        assert (NAMES[start["tid"]], NAMES[ends[key]["tid"]]) == ("nodes", "kernels")
        for event, track in ((start, "nodes"), (ends[key], "kernels")):
            around = [
                span
                for span in spans(events, track)
                if span["ts"] <= event["ts"] <= span["ts"] + span["dur"]
            ]
            assert len(around) == 1


def test_a_model_without_times_has_no_events() -> None:
    value = json.loads(render(measured.report(measured.small())))
    assert value["traceEvents"] == []
    (facts,) = value["otherData"]["models"]
    assert facts["not_measured"] == "latency was not measured"


def test_each_model_is_a_process() -> None:
    events = events_of(measured.small(), measured.timed(measured.small()))
    assert {event["pid"] for event in events} == {2}
