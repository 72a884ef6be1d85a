"""Read responses that other programs collected: tables of responses, and logs of lmms-eval, VLMEvalKit and garak."""
