// Marks the page as having its scripts.
document.documentElement.dataset.scripts = "loaded";
