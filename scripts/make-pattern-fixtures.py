#!/usr/bin/env python3
"""Writes Fixtures/patterns/python.json: what Python's re and fnmatch say of patterns and names.

Standard library only; the committed file is by Python 3.11, whose `re` refuses more than before.
"""

import fnmatch
import json
import pathlib
import re

NAMES = """
double_blocks.0.img_attn.qkv
double_blocks.1.img_mod.lin
double_blocks.10.txt_mod.lin
double_blocks.11.img_mlp.0
double_blocks.18.txt_attn.proj
single_blocks.0.linear1
single_blocks.37.modulation.lin
final_layer.linear
blocks.0.self_attn.q
blocks.12.cross_attn.norm_k
blocks.39.ffn.2
down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q
down_blocks.2.attentions.0.transformer_blocks.0.attn2.to_out.0
mid_block.resnets.0.conv1
up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj
text_model.encoder.layers.11.self_attn.k_proj
text_model.encoder.layers.3.mlp.fc1
time_embedding.linear_1
lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_q
lora_te1_text_model_encoder_layers_11_mlp_fc1
lora_unet_double_blocks_0_img_attn_qkv
model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_k.weight
model.diffusion_model.input_blocks.10.0.in_layers.2.weight
model.diffusion_model.input_blocks.1.0.in_layers.2.bias
attn
ATTN
attn1
to_q
a.b
a+b
a[0]
a{2}
a]b
a^b$
a-b
a b
\tTab
a\\b
a*b
a?b
aaa
ab
ba
x86
layer_é.weight
層.0.weight
é

""".split("\n")[1:-1]
NAMES = [name.replace("\\t", "\t") for name in NAMES]

# What the field writes first, then every construct of the syntax.
EXPRESSIONS = r"""
.*single_blocks.*
.*double_blocks.*
.*(img_mod|txt_mod|modulation).*
.*(img_mod\.lin|txt_mod\.lin|modulation\.lin).*
.*(?:img|txt)_attn.*
.*attn.*
attn
attn1
.*\.attn[12]\..*
.*attn1.*to_[qkv].*
.*attn2\.to_(q|k|v|out\.0)
blocks\.\d+\..*
blocks\.([0-9]|1[0-9])\..*
blocks\.(?:[0-9]|[1-3][0-9])\.(self_attn|cross_attn)\.[qkvo]
double_blocks\.([0-9]|1[0-8])\.img.*
double_blocks.1.*
double_blocks\.1\..*
(double|single)_blocks\.\d+\.(img|txt|linear|modulation).*
down_blocks\.[0-2]\..*
(?!$).*
^.*attn.*$
^double_blocks
to_q$
.*\.(weight|bias)
.*norm.*
lora_unet_.*
lora_(unet|te1)_.*
.*_(q|k|v)_proj
.*\.layers\.(?:0|1[01]?)\..*
text_model.*
.*mlp\.fc\d
.*\bmlp\b.*
.*\Bblocks.*
\Aattn\Z
(?i)attn
(?i:ATTN)\d?
(?s).*
(?m)^attn$
(?a)\w+
(?u)\w+\.0\.weight
(?is)A.B
(?P<block>double_blocks)\.\d+\.(?P<part>\w+)\.\w+
(?#only attention).*attn.*
(?:)attn
()attn
attn|to_q
attn|
|attn
(attn|to_q)?
a.b
a\.b
a\+b
a\[0\]
a[[]0]
a[]]b
a[^]]b
a[^\w]b
a[\W]b
a[\w.]b
a[a\-z]b
a[-+]b
a[+-]b
a[*?]b
a\^b\$
a\-b
a\ b
a b
a{2}
a\{2\}
a{2
a{,3}
a{1,}
a{3}
a{1,2}
a{1,2}?b?
a{,}
a{x}
aa*?
a+?
a??b
[ab]+
[^.]+\.[^.]+
[A-Z]+
[!a]b
[a-c-]+
[\d\s]+
x\d\d
\x61\x62
\u0061b
\U00000061b
\141b
\0?ab
[\x61-\x63]+
[\141b]+
\tTab
\sTab
\STab
.Tab
a\\b
a\*b
a\?b
.
..
.+
.*
\W+
\D+
\S+
\d+
\w+
[^\d]+
[^\W]+
[\D]+
[\S]+
[^\s]+
layer_\w\.weight
層\.\d\.weight
[é層].*
[^\x00-\x7f]
(((a)))b
((a|b)*)
(a|b){2}
(?:a(?:b(?:)))
(?-i:ab)
(?i-s:AB)
.*[.]to_q
$
^
(?a)\b
\A
""".split("\n")[1:-1] + [""]

# What Python refuses.
WRONG = r"""
(
)
(a
a)
[
[a
[]
*attn*
+a
?
a**
a*+*
a{2}{3}
a{3,2}
^*
\
\q
\p{L}
\z
\Q.\E
\xg
\x1
\u12
\U00110000
\N{bad name}
[\A]
[b-a]
[a-\d]
[\d-z]
[\8]
(?
(?P
(?P<
(?P<a
(?P<1a>b)
(?P>a)
(?<a>b)
(?z)
(?i
(?-i)
(?i-)
a(?i)
(?#
(?L)a
\400
a|*
(*a)
""".split("\n")[1:-1]

# What Python knows and no linear-time matcher can.
UNSUPPORTED = r"""
(?=a)b
(?!a)b
.*(?!attn).*
(?<=a)b
(?<!a)b
(a)\1
(?P<a>b)(?P=a)
(a)?(?(1)b|c)
(?>a*)b
a*+b
a++
a?+b
a{1,2}+b
(?x) a b
(?x:a b)
""".split("\n")[1:-1]
EXPRESSIONS.remove("(?!$).*")

SHELL = r"""
*
**
*attn*
*.attn1.*
*blocks*
*blocks.1*
down*attn1*
down_blocks.*
double_blocks.1.*
double_blocks.1?.*
double_blocks.[0-9].*
double_blocks.[!0].*
blocks.*.self_attn.?
lora_unet_*
lora_te?_*
model.diffusion_model.input_blocks.1.*
*.weight
?
??
???
a?b
a[*?]b
a[+-]b
a[-+]b
a[]]b
a[!]]b
a[[]0]
a[0]
a[
a[b
a[!
a[]
a[!]
a[z-a]b
a[z-a+]b
a[!z-a]b
a[\]b
a\b
a\*b
a^b$
a{2}
a.b
(a|b)
[é層]*
attn
ATTN
[A-Z]*

""".split("\n")[1:-1]


def bits(matches):
    return "".join("1" if match else "0" for match in matches)


def refuses(pattern):
    try:
        re.compile(pattern)
    except (re.error, ValueError) as error:
        return str(error)
    raise SystemExit(f"Python takes {pattern!r}")


table = {
    "names": NAMES,
    "expressions": [
        {
            "pattern": pattern,
            "fullmatch": bits(re.fullmatch(pattern, name) for name in NAMES),
            "match": bits(re.match(pattern, name) for name in NAMES),
            "search": bits(re.search(pattern, name) for name in NAMES),
        }
        for pattern in EXPRESSIONS
    ],
    "wrong": [{"pattern": pattern, "error": refuses(pattern)} for pattern in WRONG],
    "unsupported": [pattern for pattern in UNSUPPORTED if re.compile(pattern)],
    "shell": [
        {"pattern": pattern, "matches": bits(fnmatch.fnmatchcase(name, pattern) for name in NAMES)}
        for pattern in SHELL
    ],
}
path = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/patterns/python.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n")
print(path, len(NAMES), len(EXPRESSIONS), len(WRONG), len(UNSUPPORTED), len(SHELL))
