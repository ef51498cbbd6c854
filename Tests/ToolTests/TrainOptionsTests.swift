import ArgumentParser
import CommandSupport
import Foundation
import TestSupport
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

  /// What the gate says of arguments and a file, beside the arguments it makes of them.
  private func gate(_ arguments: [String] = [], toml: String? = nil) throws -> ScriptGate {
    var arguments = arguments
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).toml")
    defer { try? FileManager.default.removeItem(at: file) }
    if let toml {
      try Data(toml.utf8).write(to: file)
      arguments += ["--config_file", String(file.path.dropLast(5))]
    }
    return try ScriptGate(reading: arguments, Train.vocabulary)
  }

  private func refusal(_ arguments: [String] = [], toml: String? = nil) -> String {
    do {
      _ = try gate(arguments, toml: toml)
      return ""
    } catch {
      return "\(error)"
    }
  }

  /// Every option of kohya's script is known, in files and on command lines.
  @Test func knowsTheOptionsOfTheScript() throws {
    let names = try fixtureLines("training/kohya/options.txt").map(String.init)
      .filter { !$0.hasPrefix("#") }
    #expect(names.count > 190)
    for name in names {
      #expect(
        Train.vocabulary.isOwn(ScriptVocabulary.canonical(name)) || ScriptOption.all[name] != nil,
        "\(name)")
    }
  }

  @Test func keysOfNoScriptArePassedOver() throws {
    let gate = try gate(
      toml: """
        epoch = 10
        noise_offset_type = "Multires"
        lr_scheduler_type = ""
        algo = "lora"
        save_toml = true
        stop_text_encoder_training = 30
        network_dim = 8
        """)
    #expect(gate.arguments.commandLine == ["--network_dim=8", "--spelling=network_dim=8"])
    #expect(gate.notices.count == 1)
    for key in ["epoch", "noise_offset_type", "algo", "save_toml", "stop_text_encoder_training"] {
      #expect(gate.notices[0].contains(key), "\(gate.notices)")
    }
  }

  @Test(arguments: [
    ("lerning_rate", "learning_rate"), ("netwrok_dim", "network_dim"), ("seedd", "seed"),
    ("resolutoin", "resolution"), ("Learning_Rate", "learning_rate"),
    ("train_bath_size", "train_batch_size"),
  ])
  func aKeyOneLetterAway(_ key: String, _ meant: String) {
    #expect(
      refusal(toml: "\(key) = 1").hasSuffix("unknown key '\(key)', did you mean '\(meant)'?"))
  }

  /// Values that mean that there is nothing of an option.
  @Test func offValues() throws {
    let gate = try gate(
      [
        "--scale_weight_norms", "0", "--save_n_epoch_ratio=0", "--vae=", "--reg_data_dir", "",
        "--num_timestep_buckets", "0", "--show_timesteps", "None",
      ],
      toml: """
        weighted_captions = false
        lr_scheduler_type = ""
        vae = "None"
        network_weights = ""
        network_args = []
        resume = false
        face_crop_aug_range = "None"
        save_every_n_epochs = 0
        max_train_epochs = 0
        clip_skip = 0
        min_snr_gamma = 0.0
        lowram = false
        xformers = 0
        sample_every_n_epochs = 0
        t5xxl = ""
        dit = "none"
        save_model_as = "safetensors"
        """)
    // What is off is in metadata alone.
    let left = gate.arguments.entries.filter { $0.name != "spelling" }
    #expect(left.isEmpty, "\(left)")
    #expect(gate.notices.isEmpty, "\(gate.notices)")
  }

  /// Values in whichever of TOML's types they come.
  @Test func valuesOfOtherTypes() throws {
    let train = try options(
      [],
      toml: """
        learning_rate = "1e-4"
        unet_lr = 1
        network_dim = "16"
        train_batch_size = 2.0
        gradient_checkpointing = 1
        cache_latents = "true"
        shuffle_caption = "False"
        persistent_data_loader_workers = 1
        network_args = "algo=lokr factor=8"
        optimizer_args = ["weight_decay=0.1", "decouple=True"]
        text_encoder_lr = "1e-5"
        lr_warmup_steps = "10%"
        """)
    #expect(train.optimizer.learningRate == 1e-4 && train.optimizer.unetRate == 1)
    #expect(train.network.rank == 16 && train.dataset.batchSize == 2)
    #expect(train.run.checkpointsBlocks && train.dataset.cachesLatents)
    #expect(!train.dataset.shufflesCaption)
    #expect(train.network.arguments == ["algo=lokr", "factor=8"])
    #expect(train.optimizer.textEncoderRates == [1e-5])
    #expect(train.optimizer.warmup == 0.1)
  }

  @Test func ofWhatIsGivenTwiceTheLastCounts() throws {
    let gate = try gate([
      "--network_args", "conv_dim=4", "conv_alpha=1", "--seed", "1", "--network_args", "algo=lokr",
      "--seed=2", "--text_encoder_lr", "1e-5", "2e-5",
    ])
    #expect(
      gate.arguments.commandLine
        == [
          "--network_args=algo=lokr", "--seed=2", "--text_encoder_lr=1e-5",
          "--text_encoder_lr=2e-5",
        ])
    #expect(gate.notices.count == 1, "\(gate.notices)")
  }

  @Test(arguments: [["1e-5,5e-6"], ["1e-5", "5e-6"], ["1e-5,", "5e-6"]])
  func listsOfNumbersMayHaveCommas(values: [String]) throws {
    let rates = [1e-5, 5e-6]
    #expect(try options(["--text_encoder_lr"] + values).optimizer.textEncoderRates == rates)
    if values.count == 1 {
      let attached = try options(["--text_encoder_lr=\(values[0])"])
      #expect(attached.optimizer.textEncoderRates == rates)
    }
  }

  @Test func shortenedOptions() throws {
    let line = try gate(["--max_train_epoch", "3", "--network_arg", "a=1", "b=2", "--xform"])
    #expect(
      line.arguments.commandLine
        == ["--max_train_epochs=3", "--network_args=a=1", "--network_args=b=2"])
    // Options of this tool alone do not make one of kohya's ambiguous.
    #expect(
      try gate(["--base_weights_m", "1"]).arguments.commandLine == ["--base_weights_multiplier=1"])
    #expect(refusal(["--max_train", "3"]).contains("'--max_train_epochs', '--max_train_steps'"))
    #expect(refusal(["--network_t"]).contains("expected one of"))
  }

  /// What is known of a script's families is compared with the checkpoint.
  @Test(arguments: ["train_network.py", "sdxl_train_network.py"])
  func scriptsAreRemembered(script: String) throws {
    let line = try gate(["accelerate", "launch", script, "--seed", "1"]).arguments.commandLine
    #expect(line == ["--seed=1", "--script=\(script)"])
  }

  /// One line for all options without effect.
  @Test func optionsWithoutEffectAreOneLine() throws {
    let gate = try gate(
      ["--xformers", "--lowram", "--max_data_loader_n_workers", "8", "--sdpa", "--no_half_vae"])
    #expect(gate.notices.count == 1)
    #expect(
      gate.notices[0]
        == "5 options have no effect here: xformers, lowram, max_data_loader_n_workers, sdpa, no_half_vae"
    )
    #expect(
      try self.gate(["--xformers"]).notices
        == ["'--xformers' has no effect: attention is always computed in tiles"])
    // Of Wan it says how samples are drawn.
    #expect(try self.gate(["--one_frame"]).notices[0].hasPrefix("'--one_frame' has no effect"))
  }

  @Test(arguments: [
    (["--dit", "framepack.safetensors", "--latent_window_size", "9"], "of FramePack"),
    (["--train_t5xxl", "--t5xxl", "a"], "'--train_t5xxl': T5 is not trained here"),
    (["--network_module", "networks.oft_flux"], "of FLUX.1"),
    (["--network_module", "networks.lora_framepack"], "of FramePack"),
    (["--network_module=networks.lora_zimage", "--sdpa"], "of Z-Image"),
    (["--gemma2", "x"], "of Lumina"),
    (["--token_string", "x"], "textual inversion"),
    (["--learning_rate_te", "1e-5"], "'--text_encoder_lr'"),
    (["--face_crop_aug_range", "1,2"], "crop the images beforehand"),
    (["accelerate", "launch", "flux_2_train_network.py"], "'flux_2_train_network.py': of FLUX.2"),
    (["python", "fpack_train_network.py", "--sdpa"], "of FramePack"),
    (["accelerate", "launch", "sdxl_train.py"], "'sdxl_train.py': it trains whole models"),
    (
      ["accelerate", "launch", "--num_processes=1", "./train_db.py"], "'sdxl_train_network.py'"
    ),
    (["python", "train_control_net.py", "--seed", "1"], "it trains ControlNets"),
    (["python", "my_train.py"], "'my_train.py': no script that is known"),
    (["python", "hv_train.py"], "'hv_train.py': it trains whole models"),
    (
      ["python", "zimage_train.py"],
      "'wan_train_network.py' or 'qwen_image_train_network.py' and its options"
    ),
    (["python", "krea2_train_network.py"], "of Krea 2"),
    (["uv", "run", "flux_2_train_network_self_flow.py"], "of FLUX.2"),
    (["--self_flow_gamma", "1"], "of FLUX.2"),
    (["--vae_sample_size", "128"], "of HunyuanVideo 1.5"),
    (["--show_timesteps", "image"], "'--show_timesteps': it draws times and trains nothing"),
    (["--resume_from_huggingface"], "name the folder by '--resume'"),
  ])
  func otherModelsAndScripts(_ arguments: [String], _ says: String) {
    #expect(refusal(arguments).contains(says), "\(refusal(arguments))")
  }

  /// Lines as guides have them, with what starts the script.
  @Test(arguments: [
    "train_network.py", "./train_network.py", "python train_network.py",
    "python3 modules/stable/train_network.py", "C:\\kohya\\train_network.py",
    "accelerate launch train_network.py",
    "accelerate launch --num_cpu_threads_per_process 1 train_network.py",
    "accelerate launch --mixed_precision bf16 --num_processes=1 train_network.py",
    "uv run accelerate launch --num_cpu_threads_per_process 1 --mixed_precision bf16 train_network.py",
    "uv run --extra cu124 accelerate launch --num_cpu_threads_per_process 1 src/musubi_tuner/wan_train_network.py",
    "uv run --with accelerate python -m accelerate.commands.launch train_network.py",
    "uv run --frozen train_network.py", "poetry run python train_network.py",
    "/usr/bin/env python3 train_network.py",
    "conda run -n musubi --no-capture-output python train_network.py",
    "python -m accelerate.commands.launch --num_cpu_threads_per_process=8 ./sd-scripts/train_network.py",
  ])
  func linesArePastedWhole(line: String) throws {
    let words = line.split(separator: " ").map(String.init) + ["--network_dim", "7"]
    let train = try options(words)
    #expect(train.network.rank == 7)
  }

  /// What other trainers call an option is no shortened name of another one.
  @Test(arguments: [
    ("--lr", "--learning_rate"), ("--alpha", "--network_alpha"),
    ("--optimizer", "--optimizer_type"),
    ("--output", "--output_dir"), ("--fp16", "--mixed_precision fp16"),
  ])
  func wordsOfOthersAreNotShortened(given: String, meant: String) {
    let error = #expect(throws: ValidationError.self) {
      try OptionTable.train.read(Train.expanded([given, "4"]))
    }
    #expect(error?.message.contains("did you mean '\(meant)'?") == true, "\(error as Any)")
  }

  /// As argparse does it: whatever is short for one option of the script alone.
  @Test func shortenedNamesAreThoseOfTheScript() throws {
    let names = try fixtureLines("training/kohya/options.txt").map(String.init)
      .filter { !$0.hasPrefix("#") }
    var count = 0
    for name in names where name != "caption_extention" {
      let short = (1...name.count).lazy.map { String(name.prefix($0)) }
        .first { short in names.count { $0.hasPrefix(short) } == 1 }
      guard let short, short != name else { continue }
      #expect(try Train.vocabulary.name(of: short) == name, "\(short)")
      count += 1
    }
    print("shortened names: \(count)")
    #expect(count > 150)
  }

  /// A file is not held to the choices of the command line: sd-scripts counts by parts of 75 tokens.
  @Test(arguments: [(255, 225), (77, 75), (150, 150), (225, 225), (149, 75)])
  func tokensOfFiles(given: Int, expected: Int) throws {
    let train = try options([], toml: "max_token_length = \(given)")
    #expect(train.model.maxTokenLength == expected)
    #expect(refusal(["--max_token_length", "255"]) == "")
    #expect(throws: ValidationError.self) {
      try OptionTable.train.read(["--max_token_length=255"])
    }
  }

  /// As sd-scripts writes them: of a file what stands there, of the command line what its type makes of it.
  @Test func metadataKeepSpellings() throws {
    let train = try options(
      ["--max_grad_norm", "1"],
      toml: """
        pretrained_model_name_or_path = "base.safetensors"
        network_alpha = 4
        learning_rate = 1
        noise_offset = 0
        max_grad_norm = 2
        training_comment = ""
        prior_loss_weight = 1.0
        """)
    let given = try OptionTable.train.read(["--network_alpha=4"])
    #expect(
      train.settingsAsGiven(given) == [
        "network_alpha": "4", "learning_rate": "1", "noise_offset": "0", "training_comment": "",
        "prior_loss_weight": "1.0",
      ])
    #expect(try train.settingsAsGiven(OptionTable.train.read([]))["network_alpha"] == "4")
    #expect(
      try options([]).settingsAsGiven(OptionTable.train.read([])) == ["network_alpha": "1"])
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
