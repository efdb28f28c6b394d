"""The browser's page: plain files without a build step, and the code that serves them."""
