"""Names of the settings that can be changed on the screen and are kept in the workspace."""

PROMPT = "prompt_template"
MODEL = "gemini_model"
