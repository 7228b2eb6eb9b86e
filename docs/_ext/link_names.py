"""Link names in code style, `lo.fit`, to their pages of the reference, anywhere in the site.

A path such as `docs/explanation/theory.md` is linked, too.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class LinkNames(SphinxPostTransform):
    """Make a link of every literal that is a public name, or a call of one."""

    default_priority = 5

    def run(self, **kwargs) -> None:
        objects = self.env.domains.python_domain.objects
        for literal in [*self.document.findall(nodes.literal)]:
            name = re.match(r"(lo(?:\.\w+)+)(?:\(.*\))?$", literal.astext(), re.S)
            path = re.match(r"docs/([\w/]+)\.md$", literal.astext())
            if name and name[1] in objects:
                page = objects[name[1]].docname
            elif path and path[1] in self.env.found_docs:
                page = path[1]
            else:
                continue
            if page != self.env.docname and not _is_inside(literal):
                link = nodes.reference("", "", internal=True)
                link["refuri"] = self.app.builder.get_relative_uri(self.env.docname, page)
                literal.replace_self(link)
                link += literal


def _is_inside(node: nodes.Node) -> bool:
    """Whether a link, a title or a signature is around it."""
    around = nodes.reference, nodes.title, addnodes.desc_signature, addnodes.pending_xref
    while node := node.parent:
        if isinstance(node, around):
            return True
    return False


def without_page(app: Sphinx, env, node: addnodes.pending_xref, content: nodes.Node):
    """Show a type of a signature as text if it has no page."""
    is_type = node.get("refdomain") == "py" and "py:class" in node
    return nodes.inline("", content.astext()) if is_type else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Link names after all pages are read."""
    app.add_post_transform(LinkNames)
    app.connect("missing-reference", without_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
