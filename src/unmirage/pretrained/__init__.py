"""The paper's experiment on pretrained weights: models, attacks and remedies on the user's safety data."""
