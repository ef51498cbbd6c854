import ArgumentParser
import CommandSupport
import Foundation
import Testing

@testable import lyco_train

struct TrainOptionsTests {
  private func options(_ arguments: [String], toml: String? = nil) throws -> Train {
    var arguments = arguments
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).toml")
    defer { try? FileManager.default.removeItem(at: file) }
    if let toml {
      try Data(toml.utf8).write(to: file)
      arguments += ["--config_file", file.path]
    }
    return try Train.parse(Train.expanded(Train.normalization.normalized(arguments)))
  }

  @Test func aFileStandsForItsOptions() throws {
    let train = try options(
      ["--network_dim", "8"],
      toml: """
        [model]
        pretrained_model_name_or_path = "base.safetensors"
        xformers = true
        [network]
        network_dim = 4
        network_alpha = 2
        network_args = ["algo=lokr", "factor=8"]
        network_train_unet_only = true
        [training]
        learning_rate = 1e-4
        text_encoder_lr = [5e-5]
        resolution = [512, 768]
        cache_latents = false
        logging_dir = ""
        max_train_steps = 20
        """)
    #expect(train.model.base == "base.safetensors")
    #expect(train.network.rank == 8, "the command line wins")
    #expect(train.network.alpha == 2)
    #expect(train.network.arguments == ["algo=lokr", "factor=8"])
    #expect(train.network.trainsUNetOnly)
    #expect(train.optimizer.learningRate == 1e-4)
    #expect(train.optimizer.textEncoderRates == [5e-5])
    #expect(train.dataset.resolution == "512,768")
    #expect(!train.dataset.cachesLatents)
    #expect(train.log.folder == nil)
    #expect(train.run.steps == 20)
  }

  @Test func anUnknownKeyNamesTheNearest() {
    let error = #expect(throws: (any Error).self) {
      try options([], toml: "lerning_rate = 1e-4")
    }
    #expect("\(error as Any)".contains("unknown key 'lerning_rate', did you mean 'learning_rate'?"))
  }

  @Test func listsOfKohyasScripts() throws {
    let train = try options([
      "--network_args", "algo=loha", "conv_dim=4", "--text_encoder_lr", "1e-5",
      "--optimizer_args", "weight_decay=0.1", "betas=0.9,0.99", "--lowram", "--sdpa",
    ])
    #expect(train.network.arguments == ["algo=loha", "conv_dim=4"])
    #expect(train.optimizer.optimizerArguments == ["weight_decay=0.1", "betas=0.9,0.99"])
    #expect(train.optimizer.textEncoderRates == [1e-5])
  }
}
