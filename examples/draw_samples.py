"""Draws the sample posters: `python -m examples.draw_samples [--out DIR] [--plates DIR]`.

Each sample is written as a picture and its OCR result, `NAME.ocr.json`; the translations of all go to one
`glossary.ko.tsv` (source TAB target). The same script gives the same pixels each time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from examples import comic_page, detail_strip, promotion, spec_sheet
from examples.sample import Sample

SAMPLES: Mapping[str, Callable[[], Sample]] = {
    "spec-sheet.jpg": spec_sheet.draw,
    "promotion.jpg": promotion.draw,
    "detail-strip.jpg": detail_strip.draw,
    "comic-page.png": comic_page.draw,
}
GLOSSARY = "glossary.ko.tsv"
JPEG_QUALITY = 88


def write_picture(sample: Sample, path: Path) -> None:
    """Write the page as a shop would: JPEG, or for a page of greys a PNG of greys."""
    picture = Image.fromarray(sample.page)
    if path.suffix == ".jpg":
        picture.save(path, quality=JPEG_QUALITY, optimize=True)
    else:
        picture.convert("L").save(path, optimize=True)


def ocr_result(sample: Sample) -> list[dict[str, object]]:
    """The lines as an OCR engine returns them."""
    return [
        {
            "box": [[round(float(c), 1) for c in corner] for corner in line.polygon],
            "text": line.text,
            "score": line.score,
        }
        for line in sample.lines
    ]


def write(name: str, sample: Sample, out: Path, plates: Path | None) -> None:
    """Write one sample's picture and OCR result, and its plate where one is wanted."""
    path = out / name
    write_picture(sample, path)
    rows = (json.dumps(row, ensure_ascii=False) for row in ocr_result(sample))
    path.with_suffix(".ocr.json").write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
    if plates:
        Image.fromarray(sample.plate).save(plates / f"{path.stem}.png")
    height, width, _ = sample.page.shape
    print(f"{path}  {width}×{height}  {len(sample.lines)} lines  {path.stat().st_size // 1000} kB")


def main() -> None:
    """Draw all samples."""
    parser = argparse.ArgumentParser(description="Draw the sample posters.")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="where pictures go [examples/]"
    )
    parser.add_argument(
        "--plates", type=Path, help="also write the clean plates, without text, to this directory"
    )
    options = parser.parse_args()
    for directory in filter(None, (options.out, options.plates)):
        directory.mkdir(parents=True, exist_ok=True)
    glossary: dict[str, str] = {}
    for name, draw in SAMPLES.items():
        sample = draw()
        write(name, sample, options.out, options.plates)
        glossary |= sample.glossary
    table = "".join(f"{chinese}\t{korean}\n" for chinese, korean in glossary.items())
    (options.out / GLOSSARY).write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
