"""What is kept on disk, whole or not at all: model folders and finished steps of a fit."""
