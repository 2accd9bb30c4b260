"""OpenTelemetry: the span of an answer and its metrics, printed as an exporter gets them.

Key: CLOVA_STUDIO_API_KEY. Needs: hangang[otel], opentelemetry-sdk. Run: python opentelemetry_spans.py
"""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import hangang

spans = TracerProvider()
spans.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
metrics = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())])
hangang.otel.instrument(spans, metrics)

with hangang.clova.Client() as client:
    client.stream("HCX-005", "한강은 얼마나 길어?").read()

metrics.shutdown()  # exports what is left
spans.shutdown()
