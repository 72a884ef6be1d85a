"""unmirage: find the safety mirage in a vision-language model's safety data and in the model, and remove it."""
