"""The analyzer's section of the model card, with its figures put in."""

from __future__ import annotations

from pathlib import Path
from string import Template

import data
import pack
from analyzer_export import EVEN
from analyzer_spec import SIDE

TEXT = Template("""## Analyzer
$cost. A wider aligned crop, 64x64, goes through a 3x3/2 stem and four stages of widths 24-48-80-128 with
0-1-2-2 residual blocks of dense 3x3 convolutions, ReLU, batch norm. The mean of the last map and a small fully connected
layer over all of it feed one linear head per output. Probabilities are calibrated inside the graph. In training one more head learns
the embedder's teacher's embedding: who somebody is says much about age, gender and beard.

Where each output's labels come from:

| output | labels | teacher, where there are none |
|---|---|---|
| 30 landmarks | - | MediaPipe face mesh; YuNet's five points where the mesh is unsure (most profiles) |
| pose | - | FSA-Net, mean of its two heads, yaw turned to the API's sign |
| eyes open | - | MediaPipe blendshapes (blink) |
| mouth open, smile | CelebA; happy and calm FER faces for smile | a regression from blendshapes to CelebA's labels |
| eyeglasses | CelebA | - |
| sunglasses | 250 of CelebA's eyeglasses images, told apart by eye (`analyzer_sunglasses.txt`), and painted lenses | - |
| beard, mustache | CelebA; women and children of UTKFace have none | - |
| gender | CelebA, UTKFace (as its annotators saw it: two classes) | - |
| face occluded | mask images, dark glasses, painted masks and objects, cut-off faces | - |
| age | UTKFace | face-api.js age network; film faces' three classes |
| emotions | FER: seven classes, CALM is its neutral | face-api.js expression network on other faces |
| eye direction | - | MediaPipe blendshapes (look); a full look is taken as 35 degrees |

| teacher | licence |
|---|---|
| MediaPipe face mesh and blendshapes | Apache-2.0 |
| FSA-Net (omasaht) | MIT |
| face-api.js age, gender and expression networks | MIT |

CONFUSED has no labelled data: drawn brows on a face that the expression teacher calls neutral stand for it,
with a probability of at most 0.4. Treat it as a filler.

AgeRange is the span between the 10 % and the 90 % quantile of the predicted ages.

### How far a stated probability can be trusted
On the test split. $even are calibrated as if true and false were equally frequent (in CelebA they are rare, and at
their natural frequency half of the true ones would be called false); their shares here are evened out likewise.

$reliability

### Groups
$groups

Weak spots: labels of CelebA are of celebrities, mostly under 50 and light-skinned, at low resolution; glasses, beards
and smiles of others rest on that. UTKFace's race label is its annotators' guess and shows differences in age and gender
errors only. Profiles have five landmarks from the detector and otherwise what the network extends. Expressions are posed or
played, not felt. Gender is a guess from looks and says nothing of identity. Closed eyes are mostly
called open (the table's balanced figure). Eyes open and eye direction are no better than their teacher, which sees 20 pixels between the eyes here.
""")


def write(folder: Path, figures: dict) -> None:
    """Write `card_analyzer.md` beside the recipe's other card parts."""
    millions, macs, size = pack.cost(folder / "analyzer.onnx", {"face": [1, 3, SIDE, SIDE]})
    reliability = ["| attribute | stated | faces | mean stated | share true |", "|---|---|---|---|---|"]
    for name, lines in figures["reliability"].items():
        reliability += [f"| {name} | {span} | {n} | {stated:.2f} | {true:.2f} |" for span, n, stated, true in lines]
    people = ["| group (faces) | figures |", "|---|---|", *(f"| {name} | {text} |" for name, text in figures["groups"])]
    (data.HERE / "card_analyzer.md").write_text(
        TEXT.substitute(
            cost=f"{millions:.2f} M parameters, {macs:.0f} MMACs, {size:.1f} MB",
            even=" and ".join(EVEN).capitalize(),
            reliability="\n".join(reliability),
            groups="\n".join(people),
        )
    )
