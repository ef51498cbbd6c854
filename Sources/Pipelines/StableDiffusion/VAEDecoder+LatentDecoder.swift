package import DiffusionModels

extension VAEDecoder: LatentDecoder {}
