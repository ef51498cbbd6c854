import Checkpoints
import ModelFamilies
import Tensors
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Which modules of Stable Diffusion 3 and 3.5 are trained, and what a pass of them takes: sd-scripts' own counts, and
/// operations as PyTorch counts them of models without weights.
struct StableDiffusion3ModulesTests {
  enum Model: String, CaseIterable {
    case medium = "medium"
    case medium35 = "5-medium"
    case large35 = "5-large"

    var depth: Int { self == .large35 ? 38 : 24 }
    var width: Int { 64 * depth }
    var hasNorms: Bool { self != .medium }
    /// Blocks with a second attention.
    var ownAttentions: Int { self == .medium35 ? 13 : 0 }

    /// sd-scripts' `networks.lora_sd3` takes so many.
    var moduleCount: Int { [.medium: 237, .medium35: 263, .large35: 377][self]! }
    /// 10¹² operations forward for 333 rows of text, at 512 and at 1024 pixels.
    var operations: [Double] {
      switch self {
      case .medium: [2.11, 8.90]
      case .medium35: [2.44, 11.25]
      case .large35: [7.98, 31.12]
      }
    }

    /// Names and shapes of the transformer, as the makers' code has them.
    var layout: ModelLayout {
      get throws {
        var tensors: [(key: String, shape: Shape)] = []
        func linear(_ path: String, _ inputs: Int, _ outputs: Int) {
          tensors.append(("model.diffusion_model.\(path).weight", [outputs, inputs]))
          tensors.append(("model.diffusion_model.\(path).bias", [outputs]))
        }
        let side = self == .medium35 ? 384 : 192
        tensors.append(("model.diffusion_model.pos_embed", [1, side * side, width]))
        tensors.append(("model.diffusion_model.x_embedder.proj.weight", [width, 16, 2, 2]))
        tensors.append(("model.diffusion_model.x_embedder.proj.bias", [width]))
        for (name, inputs) in [("t_embedder", 256), ("y_embedder", 2048)] {
          linear(name + ".mlp.0", inputs, width)
          linear(name + ".mlp.2", width, width)
        }
        linear("context_embedder", 4096, width)
        for block in 0..<depth {
          for stream in ["context_block", "x_block"] {
            let path = "joint_blocks.\(block).\(stream)."
            let isLast = stream == "context_block" && block == depth - 1
            let hasOwn = stream == "x_block" && block < ownAttentions
            for attention in hasOwn ? ["attn", "attn2"] : ["attn"] {
              linear(path + attention + ".qkv", width, 3 * width)
              if !isLast { linear(path + attention + ".proj", width, width) }
              for norm in hasNorms ? ["ln_q", "ln_k"] : [] {
                tensors.append(
                  ("model.diffusion_model.\(path)\(attention).\(norm).weight", [64]))
              }
            }
            linear(path + "adaLN_modulation.1", width, (isLast ? 2 : hasOwn ? 9 : 6) * width)
            guard !isLast else { continue }
            linear(path + "mlp.fc1", width, 4 * width)
            linear(path + "mlp.fc2", 4 * width, width)
          }
        }
        linear("final_layer.adaLN_modulation.1", width, 2 * width)
        linear("final_layer.linear", width, 64)
        return try ModelLayout(of: tensors)
      }
    }
  }

  @Test(arguments: Model.allCases) func selectsAsMany(_ model: Model) throws {
    let layout = try model.layout
    #expect(layout.family.name == "sd3")
    var flags = NetworkSettings.Flags()
    flags.module = "networks.lora_sd3"
    let plan = try NetworkPlan(
      modules: layout.modules, family: layout.family,
      settings: NetworkSettings(flags, NetworkArguments(parsing: [])))
    let names = Set(plan.modules.map(\.name))
    #expect(plan.modules.count == model.moduleCount && names.count == model.moduleCount)
    let last = "lora_unet_joint_blocks_\(model.depth - 1)_context_block"
    #expect(
      Set(names.filter { $0.hasPrefix(last) }) == [
        last + "_attn_qkv", last + "_adaLN_modulation_1",
      ]
    )
  }

  /// Norms, activations and positions, which PyTorch counts for nothing either, are left out.
  @Test(arguments: Model.allCases) func operations(_ model: Model) throws {
    let units = StableDiffusion3Pipeline.units(
      of: try model.layout.modules.filter { $0.role == .denoiser })
    for (side, expected) in zip([512, 1024], model.operations) {
      let size = StepSize(height: side / 8, width: side / 8, tokens: 333)
      let operations = units.flatMap(\.layers).reduce(0) { $0 + $1.cost(size).operations }
      print(model, side, operations / 1e12, "expected", expected)
      // Two decimals are known. Queries of the last block's text are no one's.
      #expect(abs(operations / 1e12 / expected - 1) <= 0.01)
    }
  }
}
