"""The API as one page for people: routes, scopes, fields, examples; written from the OpenAPI document.

No script and nothing from elsewhere: the page works in a closed network, under a policy that forbids both.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import TypeAlias

Json: TypeAlias = Mapping[str, "Json"] | list["Json"] | str | int | float | bool | None

_STYLE = """
:root { color-scheme: light dark; --line: #d5dae1; --soft: #f4f6f8; --dim: #5b6573; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a424d; --soft: #1d2229; --dim: #a0aab8; --accent: #79b8ff; } }
body { font: 16px/1.55 system-ui, "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 5rem; }
h1 { margin: 0; } h2 { margin: 3rem 0 .3rem; padding-top: 1rem; border-top: 2px solid var(--line); }
h3 { margin: 1.6rem 0 .4rem; font-size: 1rem; } p { margin: .4rem 0; }
a { color: var(--accent); } .dim, .zh { color: var(--dim); }
code, pre { font: .9em/1.45 ui-monospace, Menlo, Consolas, "Noto Sans Mono", "Noto Sans Mono CJK SC", monospace; }
code { background: var(--soft); padding: .1em .3em; border-radius: .2em; overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .4em; padding: .8em 1em;
  overflow-x: auto; }
.method { display: inline-block; min-width: 3.2em; font-weight: 700; color: var(--accent); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .4em .8em .4em 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--dim); } td:first-child { white-space: nowrap; }
ul.routes { list-style: none; padding: 0; } ul.routes li { padding: .25em 0; }
"""
_QUOTED = re.compile(r"`([^`]+)`")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_INTRO = """
<p>Send your key as <code>Authorization: Bearer sc_…</code> and bodies as <code>application/json</code> in UTF-8.
A route demands the scope that stands beside it. What a key may not see is answered like what does not exist.</p>
<p>An error is a problem document (<code>application/problem+json</code>, RFC 9457): branch on its <code>type</code>,
quote its <code>request_id</code>. On 429 and 503 wait as long as <code>Retry-After</code> says.
Unknown fields and query parameters, repeated keys, NaN and bodies above the limits are refused.</p>
<p class="zh" lang="zh-CN">请求头带上 <code>Authorization: Bearer sc_…</code>，正文为 UTF-8 编码的
<code>application/json</code>。每个接口需要其旁标注的权限；无权查看的对象与不存在的对象回答相同。错误以问题文档返回，请按
<code>type</code> 判断；遇到 429、503 按 <code>Retry-After</code> 等待。</p>
"""


def render_api(document: Mapping[str, Json]) -> str:
    """The page as HTML.

    Parameters
    ----------
    document : mapping
        The OpenAPI document; `x-summary-zh`, `x-description-zh` and `x-scope` are shown where they stand.
    """
    page = _Page(document)
    return "".join(page.parts())


class _Page:
    def __init__(self, document: Mapping[str, Json]) -> None:
        self._document = document
        self._schemas = _at(_at(document, "components"), "schemas")

    def parts(self) -> Iterator[str]:
        title = _text(_at(self._document, "info"), "title")
        yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} API</title>'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<style>{_STYLE}</style></head><body><main>"
        yield f"<h1>{title} API</h1>{_INTRO}"
        yield '<p>For machines: <a href="/openapi.json">openapi.json</a></p><ul class="routes">'
        routes = [(path, method, operation) for path, below in self._paths() for method, operation in below]
        for path, method, operation in routes:
            yield f"<li>{_route(method, path, link=True)} {_summary(operation)}</li>"
        yield '<li><a href="#problem">Problem document</a> <span class="zh" lang="zh-CN">问题文档</span></li></ul>'
        for path, method, operation in routes:
            yield from self._operation(path, method, operation)
        yield '<h2 id="problem">Problem document</h2>'
        yield from self._fields("Fields", {"$ref": "#/components/schemas/ProblemAnswer"})
        yield from self._example("Example", {"$ref": "#/components/schemas/ProblemAnswer"})
        yield "</main></body></html>\n"

    def _paths(self) -> Iterator[tuple[str, list[tuple[str, Mapping[str, Json]]]]]:
        paths = _at(self._document, "paths")
        for path in sorted(paths, key=lambda name: (not name.startswith("/v1"), not name.endswith("/score"), name)):
            yield path, [(method, _at(_at(paths, path), method)) for method in _at(paths, path)]

    def _operation(self, path: str, method: str, operation: Mapping[str, Json]) -> Iterator[str]:
        yield f'<h2 id="{_anchor(method, path)}">{_route(method, path)}</h2><p>{_summary(operation)}</p>'
        yield f"<p>{_text(operation, 'description')}</p>"
        scope = operation.get("x-scope")
        yield f"<p>Scope: <code>{escape(str(scope))}</code></p>" if scope else '<p class="dim">Needs no key.</p>'
        yield from self._parameters(operation)
        body = _at(_at(_at(operation, "requestBody"), "content"), "application/json")
        if body:
            yield from self._fields("Body", _at(body, "schema"))
            for example in _at(body, "examples").values():
                yield f"<h3>Example: {_text(example, 'summary')}</h3>{_curl(path, _at(example, 'value'))}"
        elif method == "get":
            yield f"<h3>Example</h3>{_get(path, bool(scope))}"
        responses = _at(operation, "responses")
        for kind, answer in _at(_at(responses, "200"), "content").items():
            if kind == "application/json":
                yield from self._fields("Answer 200", _at(answer, "schema"))
                yield from self._example("Example of an answer", _at(answer, "schema"))
            else:
                yield f"<h3>Answer 200</h3><p><code>{escape(kind)}</code></p>"
        yield '<h3>Errors</h3><div class="wide"><table>'
        for status in sorted(name for name in responses if name != "200"):
            told = _text(_at(responses, status), "description")
            yield f"<tr><td><code>{escape(status)}</code></td><td>{told}</td></tr>"
        yield "</table></div>"

    def _parameters(self, operation: Mapping[str, Json]) -> Iterator[str]:
        stated = operation.get("parameters")
        if not isinstance(stated, list) or not stated:
            return
        yield '<h3>Parameters</h3><div class="wide"><table>'
        yield "<tr><th>name</th><th>in</th><th>type</th><th>meaning</th></tr>"
        for parameter in stated:
            yield (
                f"<tr><td><code>{_text(parameter, 'name')}</code></td><td>{_text(parameter, 'in')}</td>"
                f"<td>{self._type(_at(parameter, 'schema'))}</td><td>{_text(parameter, 'description')}</td></tr>"
            )
        yield "</table></div>"

    def _fields(self, title: str, schema: Mapping[str, Json]) -> Iterator[str]:
        rows = list(self._rows(schema, "", ()))
        if rows:
            yield f'<h3>{title}</h3><div class="wide"><table><tr><th>field</th><th>type</th><th>meaning</th></tr>'
            yield from rows
            yield "</table></div>"

    def _rows(self, schema: Mapping[str, Json], prefix: str, above: tuple[str, ...]) -> Iterator[str]:
        name, stated = self._resolved(schema)
        if name in above:
            return
        for field, inner in _at(stated, "properties").items():
            full = f"{prefix}{field}"
            meaning = _text(inner, "description")
            chinese = _text(inner, "x-description-zh")
            meaning += f'<br><span class="zh" lang="zh-CN">{chinese}</span>' if chinese else ""
            yield f"<tr><td><code>{escape(full)}</code></td><td>{self._type(inner)}</td><td>{meaning}</td></tr>"
            for form, suffix in self._inside(inner):
                yield from self._rows(form, f"{full}{suffix}.", (*above, name))

    def _inside(self, schema: Json) -> Iterator[tuple[Mapping[str, Json], str]]:
        """The objects within a field: itself, one of its kinds, or the items of its list."""
        for kind in self._kinds(schema):
            _, stated = self._resolved(kind)
            if "items" in stated:
                yield from ((form, f"[]{suffix}") for form, suffix in self._inside(_at(stated, "items")))
            elif "properties" in stated:
                yield kind, ""

    def _kinds(self, schema: Json) -> list[Mapping[str, Json]]:
        stated = schema if isinstance(schema, Mapping) else {}
        kinds = stated.get("anyOf")
        return [kind for kind in kinds if isinstance(kind, Mapping)] if isinstance(kinds, list) else [stated]

    def _type(self, schema: Json) -> str:
        return " or ".join(self._type_of(kind) for kind in self._kinds(schema))

    def _type_of(self, kind: Mapping[str, Json]) -> str:
        _, stated = self._resolved(kind)
        words = stated.get("enum")
        if isinstance(words, list):
            return ", ".join(f"<code>{escape(str(word))}</code>" for word in words)
        name = escape(str(stated.get("format") or stated.get("type") or "any"))
        if "items" in stated:
            return f"list of {self._type(stated['items'])}"
        low, high = stated.get("minimum"), stated.get("maximum")
        bounded = isinstance(low, int | float) and isinstance(high, int | float)
        return f"{name} {low:g} to {high:g}" if bounded else name

    def _resolved(self, schema: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        return name, _at(self._schemas, name) if name else schema

    def _example(self, title: str, schema: Mapping[str, Json]) -> Iterator[str]:
        examples = self._resolved(schema)[1].get("examples")
        if isinstance(examples, list) and examples:
            yield f"<h3>{title}</h3><pre>{_json(examples[0], 2)}</pre>"


def _at(value: Json, name: str) -> Mapping[str, Json]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: Json, name: str) -> str:
    text = escape(str(value.get(name) or "")) if isinstance(value, Mapping) else ""
    return _QUOTED.sub(r"<code>\1</code>", text)


def _anchor(method: str, path: str) -> str:
    return escape("".join(c if c.isalnum() else "-" for c in f"{method}{path}"))


def _route(method: str, path: str, *, link: bool = False) -> str:
    code = f"<code>{escape(path)}</code>"
    shown = f'<a href="#{_anchor(method, path)}">{code}</a>' if link else code
    return f'<span class="method">{escape(method.upper())}</span> {shown}'


def _summary(operation: Mapping[str, Json]) -> str:
    chinese = _text(operation, "x-summary-zh")
    return f'{_text(operation, "summary")} <span class="zh" lang="zh-CN">{chinese}</span>'


def _json(value: Json, indent: int | None = None) -> str:
    return escape(json.dumps(value, ensure_ascii=False, indent=indent), quote=False)


def _curl(path: str, body: Json) -> str:
    return (
        f'<pre>curl -s "$ADDRESS{escape(path)}" \\\n  -H "Authorization: Bearer $KEY" '
        f"-H \"Content-Type: application/json\" \\\n  -d '{_json(body)}'</pre>"
    )


def _get(path: str, with_key: bool) -> str:
    key = ' -H "Authorization: Bearer $KEY"' if with_key else ""
    return f'<pre>curl -s "$ADDRESS{escape(path)}"{key}</pre>'
