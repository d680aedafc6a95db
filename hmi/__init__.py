"""The operator's page and its HTTP interface.

Lives here: the web server (FastAPI on uvicorn, a process of its own), pushing live values to browsers, sign-in, the sources
of the page (`web/`, bundled into `static/`). May not live here: reading images, rings or the store directly, or deciding
about a request: values come from `scada.client`, requests go through it to control, which decides.
"""
