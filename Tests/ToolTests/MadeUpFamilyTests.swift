#if MADE_UP_FAMILY
  import Images
  import Safetensors
  import SystemPackage
  import TestSupport
  import Tensors
  import Testing

  /// The worked example of a family in CONTRIBUTING.md, through the built tools: three files, and all tools know it.
  struct MadeUpFamilyTests {
    /// The weights of a small Pebble of random numbers.
    private static func weights(seed: UInt64) -> [String: Tensor] {
      var shapes: [String: Shape] = [
        "text_encoder.letters": [256, 24], "text_encoder.proj": [40, 24],
        "model.diffusion_model.x_in": [32, 3], "model.diffusion_model.t_in": [32, 32],
        "model.diffusion_model.x_out": [3, 32],
      ]
      for stone in 0..<2 {
        let path = "model.diffusion_model.stones.\(stone)."
        for norm in ["norm1", "norm2", "norm3"] { shapes[path + norm] = [32] }
        for name in ["q", "k", "v", "out.0"] {
          shapes[path + "attn1.to_\(name)"] = [32, 32]
          shapes[path + "attn2.to_\(name)"] = [32, name == "k" || name == "v" ? 40 : 32]
        }
        shapes[path + "ff.net.0.proj"] = [128, 32]
        shapes[path + "ff.net.2"] = [32, 64]
      }
      var tensors: [String: Tensor] = [:]
      for (index, entry) in shapes.sorted(by: { $0.key < $1.key }).enumerated() {
        let number = seed + UInt64(index)
        tensors[entry.key + ".weight"] = random(entry.value, times: 0.2, seed: number)
        let hasBias =
          !["letters", "to_q", "to_k", "to_v"].contains { entry.key.hasSuffix($0) }
        if hasBias {
          tensors[entry.key + ".bias"] = random([entry.value.rows], times: 0.1, seed: ~number)
        }
      }
      return tensors
    }

    private static func random(_ shape: Shape, times scale: Float, seed: UInt64) -> Tensor {
      Tensor(shape, Tensor(random: shape, seed: seed).elements.map { $0 * scale })
    }

    private static func write(
      _ tensors: [String: Tensor], as name: String, in folder: borrowing TemporaryFolder
    ) throws -> String {
      try folder.write(name, tensors.mapValues { EncodedTensor($0, as: .f32) }).string
    }

    /// The tuned model has a change of rank 2 in every matrix of a stone: an adapter of that rank holds it, and a
    /// merge brings it back to rounding.
    @Test func isRecognizedExtractedAndMerged() throws {
      let folder = TemporaryFolder()
      let base = Self.weights(seed: 1)
      var tuned = base
      for (name, tensor) in base
      where name.contains("stones") && tensor.shape.dimensions.count == 2 {
        let up = Tensor(random: [tensor.shape.rows, 2], seed: 7)
        let down = Tensor(random: [2, tensor.shape.columns], seed: 8)
        var change = Tensor(zeros: tensor.shape)
        for row in 0..<tensor.shape.rows {
          for column in 0..<tensor.shape.columns {
            change.elements[row * tensor.shape.columns + column] =
              (0..<2).reduce(0) { sum, k in
                sum + up.elements[row * 2 + k] * down.elements[k * tensor.shape.columns + column]
              } * 0.1
          }
        }
        tuned[name] = Tensor(
          tensor.shape, zip(tensor.elements, change.elements).map { $0 + $1 })
      }
      let first = try Self.write(base, as: "base.safetensors", in: folder)
      let second = try Self.write(tuned, as: "tuned.safetensors", in: folder)
      let adapter = folder.file("adapter.safetensors").string

      let inspected = ToolRun("lyco-inspect", [first])
      #expect(inspected.status == 0 && inspected.output.contains("Pebble"), "\(inspected)")
      let extracted = ToolRun(
        "lyco-extract",
        [
          first, second, "-o", adapter, "--dim", "2", "--save_precision", "float", "--threads",
          "1",
        ])
      #expect(extracted.status == 0, "\(extracted.errors)")
      let named = try TensorFile(opening: FilePath(adapter)).contents.keys
      #expect(named.contains("lora_unet_stones_1_attn1_to_q.lora_up.weight"), "\(named)")

      let merged = folder.file("merged.safetensors").string
      let merge = ToolRun("lyco-merge", [first, adapter, "-o", merged, "--threads", "1"])
      #expect(merge.status == 0, "\(merge.errors)")
      let found = try TensorFile(opening: FilePath(merged)).contents
      var worst: Float = 0
      for (name, tensor) in tuned {
        let other = try #require(found[name]).decoded()
        for (a, b) in zip(tensor.elements, other.elements) { worst = max(worst, abs(a - b)) }
      }
      // Products of f32 numbers below 1.
      #expect(worst < 2e-6, "worst \(worst)")

      let comfy = folder.file("comfy.safetensors").string
      let converted = ToolRun("lyco-convert", [adapter, "-o", comfy, "--to", "comfy"])
      #expect(converted.status == 0, "\(converted.errors)")
      let spelled = try TensorFile(opening: FilePath(comfy)).contents.keys
      #expect(
        spelled.contains { $0.hasPrefix("diffusion_model.stones.1.attn1.to_q.") }, "\(spelled)")
    }

    /// Ten steps on the tiny pictures: the loss is logged, the adapter is whole, fits the base and changes it.
    @Test(arguments: [
      (["--network_module", "networks.lora"], ["text_encoder.proj"]),
      (
        ["--network_module", "lycoris.kohya", "--network_args", "algo=lokr", "train_norm=True"],
        ["model.diffusion_model.stones.0.norm1"]
      ),
    ]) func trains(network: [String], changing others: [String]) throws {
      let folder = TemporaryFolder()
      let base = try Self.write(Self.weights(seed: 1), as: "base.safetensors", in: folder)
      let losses = folder.file("loss.csv")
      let run = ToolRun(
        "lyco-train",
        [
          "--pretrained_model_name_or_path", base, "--train_data_dir",
          Fixtures.path("training/tiny/images").string, "--resolution", "64", "--output_dir",
          folder.path.string, "--output_name", "trained", "--network_dim", "4",
          "--learning_rate", "1e-3", "--max_train_steps", "10", "--seed", "1", "--threads", "1",
          "--log_csv", losses.string, "--gradient_checkpointing",
        ] + network)
      #expect(run.status == 0, "\(run.errors)")
      let text = String(decoding: try contents(of: losses), as: UTF8.self)
      #expect(text.split(separator: "\n").count == 11, "\(text)")

      let adapter = folder.file("trained.safetensors").string
      let merged = folder.file("merged.safetensors").string
      let merge = ToolRun("lyco-merge", [base, adapter, "-o", merged, "--threads", "1"])
      #expect(merge.status == 0 && !merge.errors.contains("warning"), "\(merge.errors)")
      let before = try TensorFile(opening: FilePath(base)).contents
      let after = try TensorFile(opening: FilePath(merged)).contents
      for name in others + ["model.diffusion_model.stones.1.ff.net.2"] {
        let (old, new) = (before["\(name).weight"], after["\(name).weight"])
        #expect(old != nil && old != new, "\(name)")
      }
      #expect(
        before["text_encoder.letters.weight"] == after["text_encoder.letters.weight"])

      let picture = folder.file("picture.png")
      let drawn = ToolRun(
        "lyco-sample",
        [
          "--base", base, adapter, "--prompt", "a bag", "--width", "64", "--height", "64",
          "--steps", "3", "--seed", "1", "--threads", "1", "-o", picture.string,
        ])
      #expect(drawn.status == 0, "\(drawn.errors)")
      #expect(try RasterImage(decoding: picture).width == 64)
    }
  }
#endif
