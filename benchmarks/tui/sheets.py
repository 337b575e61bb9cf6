"""One picture for each screen, with all sizes and colours side by side, for docs/screens/sheets.

    python -m benchmarks.tui.screens --all --out PICTURES
    python -m benchmarks.tui.sheets PICTURES [--out FOLDER]

Rows are sizes, columns are colours: dark, light, 16 colours. Needs pillow.
"""

import argparse
from pathlib import Path

from benchmarks.tui.screens import ASKED, PREPARED, SIZES, THEMES

WIDTH = 480  # of one picture, in pixels
GAP = 8
COLOURS = 64  # of three themes


def sheet(folder: Path, name: str, out: Path) -> None:
    """Puts the pictures of the screen `name` onto one sheet."""
    from PIL import Image

    rows = []
    for columns, lines in SIZES:
        row = []
        for colours in THEMES:
            picture = Image.open(folder / f"{name}-{columns}x{lines}-{colours}.png").convert("RGB")
            height = round(picture.height * WIDTH / picture.width)
            row.append(picture.resize((WIDTH, height), Image.Resampling.LANCZOS))
        rows.append(row)
    heights = [row[0].height + GAP for row in rows]
    whole = Image.new("RGB", (len(THEMES) * (WIDTH + GAP) - GAP, sum(heights) - GAP), "white")
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            whole.paste(picture, (column * (WIDTH + GAP), sum(heights[:number])))
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(out / f"{name}.png", "PNG", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path, metavar="PICTURES")
    parser.add_argument("--out", type=Path, default=Path("docs/screens/sheets"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in (*PREPARED, *ASKED):
        sheet(args.pictures, name, args.out)
        print(args.out / f"{name}.png")


if __name__ == "__main__":
    main()
