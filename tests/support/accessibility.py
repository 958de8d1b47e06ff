"""What axe-core and a ruler find wrong with a page as it stands now."""

from pathlib import Path

from playwright.async_api import BrowserContext, Page

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
_GEOMETRY = Path(__file__).parent / "geometry_probe.js"
_SETTLED = """() => document.getAnimations().every(
    it => it.playState !== 'running' || it.effect.getComputedTiming().endTime === Infinity)"""
_VIOLATIONS = """async () => (await axe.run({ resultTypes: ['violations'] })).violations
    .filter(rule => ['serious', 'critical'].includes(rule.impact))
    .flatMap(rule => rule.nodes.map(node => `${rule.impact} ${rule.id}: ${node.html.slice(0, 140)}`
        + ` (${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''})`))"""


async def bring_instruments(context: BrowserContext) -> None:
    """Before the first page. They come in beside the product's scripts, so that its content policy stays on."""
    await context.add_init_script(path=AXE)
    await context.add_init_script(path=_GEOMETRY)


async def faults(page: Page, where: str) -> list[str]:
    """Serious and critical violations (WCAG as axe-core knows it), sideways scrolling, overlapping and cut words;
    one line each, begun with ``where`` and the page's language. Waits for transitions to end."""
    await page.wait_for_function(_SETTLED)
    language = await page.evaluate("document.documentElement.lang")
    found: list[str] = [*await page.evaluate(_VIOLATIONS), *await page.evaluate("window.__geometry()")]
    return [f"{where} ({language}): {fault}" for fault in found]
