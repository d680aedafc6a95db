"""A site folder of YAML and SVG to one compiled `tags.model.Site`, or to every problem in it with its place.

What lives here: reading files with places (`document`, `sources`, `problems`), what may be written (`models`,
`control_models`, `fields`), templates, and the compilation of each part (`points`, `alarms`, `devices`, `control`,
`displays`, `system`). `compiler` puts it together; `schema` is the JSON Schema for editors.

What may not: anything at run time. Services load the compiled site (`tags.model.load`) and never import this
package, which brings pydantic and YAML along.
"""

from tags.site.compiler import read_site
from tags.site.overrides import apply_overrides
from tags.site.problems import Problem, SiteError
from tags.site.schema import schema

__all__ = ["Problem", "SiteError", "apply_overrides", "read_site", "schema"]
