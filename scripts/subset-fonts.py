#!/usr/bin/env python3
"""Makes the three fonts in assets/fonts from the full ones, so that the program stays small and still shows Chinese.

Needs: pip install fonttools brotli; the Debian packages fonts-noto-cjk and fonts-inter-variable.
Usage: scripts/subset-fonts.py INTER.var.ttf NotoSansCJK-Regular.ttc NotoSansCJK-Bold.ttc

Latin: Inter, the upright variable font, its weight axis held to 400..600, Latin, Greek and Cyrillic; the digits are
exchanged for the tabular ones, so that a running clock does not dance.
Chinese: Noto Sans CJK SC Regular, the 6,763 characters of GB 2312, CJK punctuation, and whatever the
catalogue needs besides. Rarer characters come from the system's fonts. Noto Sans CJK SC Bold, for names, headings
and buttons, has the 3,755 common ones alone (level 1 of GB 2312); the others are drawn in the regular weight.
"""
import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "assets" / "fonts"


def options():
    chosen = subset.Options()
    chosen.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl", "calt"]
    chosen.hinting = False
    chosen.desubroutinize = False
    chosen.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    chosen.notdef_outline = True
    return chosen


def with_tabular_digits(font):
    for record in font["GSUB"].table.FeatureList.FeatureRecord:
        if record.FeatureTag != "tnum":
            continue
        for index in record.Feature.LookupListIndex:
            for table in font["GSUB"].table.LookupList.Lookup[index].SubTable:
                mapping = getattr(getattr(table, "ExtSubTable", table), "mapping", {})
                for cmap in font["cmap"].tables:
                    for code in range(ord("0"), ord("9") + 1):
                        if cmap.isUnicode() and cmap.cmap.get(code) in mapping:
                            cmap.cmap[code] = mapping[cmap.cmap[code]]
        return


def latin(path):
    font = TTFont(path)
    with_tabular_digits(font)
    font = instancer.instantiateVariableFont(font, {"wght": (400, 400, 600)})
    wanted = set(range(0x20, 0x250)) | set(range(0x370, 0x460)) | set(range(0x1E00, 0x1F00))
    wanted |= set(range(0x2010, 0x2040)) | {0x20AC, 0x2116, 0x2122, 0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2248}
    wanted |= {0x2318, 0x21E7, 0x23CE, 0x00D7, 0xFFFD}
    chosen = options()
    chosen.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    worker = subset.Subsetter(chosen)
    worker.populate(unicodes=wanted)
    worker.subset(font)
    font.save(OUT / "Inter-subset.ttf")


def chinese(path, rows, name):
    font = TTFont(path, fontNumber=2)
    assert "SC" in font["name"].getDebugName(4)
    gb2312 = {bytes((row, cell)).decode("gb2312", "ignore") for row in rows for cell in range(0xA1, 0xFF)}
    catalogue = set("".join(file.read_text("utf-8") for file in (ROOT / "src/ui/catalogue").glob("*.rs")))
    characters = {ord(char) for char in gb2312 | catalogue if char and ord(char) > 0x2E80}
    characters |= set(range(0x3000, 0x3020)) | set(range(0xFF01, 0xFF5F)) | {0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026}
    chosen = options()
    chosen.layout_features = []
    chosen.drop_tables += ["VORG", "vhea", "vmtx", "BASE", "GSUB", "GPOS", "GDEF"]
    worker = subset.Subsetter(chosen)
    worker.populate(unicodes=characters)
    worker.subset(font)
    font.save(OUT / name)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    OUT.mkdir(parents=True, exist_ok=True)
    latin(sys.argv[1])
    chinese(sys.argv[2], range(0xB0, 0xF8), "NotoSansSC-subset.otf")
    chinese(sys.argv[3], range(0xB0, 0xD8), "NotoSansSC-Bold-subset.otf")
    for made in sorted(OUT.glob("*subset*")):
        print(f"{made.name}: {made.stat().st_size // 1024} KiB")
