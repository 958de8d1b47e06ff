"""What ``/metrics`` says, as numbers."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


async def read_metrics(http: aiohttp.ClientSession, url: str) -> dict[str, float]:
    """Samples by name; a labelled one as ``name{value}`` (our metrics have one label at most)."""
    async with http.get(f"{url}/metrics") as response:
        response.raise_for_status()
        text = await response.text()
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = next(iter(sample.labels.values()), None)
            samples[sample.name if label is None else f"{sample.name}{{{label}}}"] = sample.value
    return samples
