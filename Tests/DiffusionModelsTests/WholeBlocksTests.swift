import Checkpoints
import Foundation
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// Blocks of a transformer are counted by their numbers alone: what lacks is told when a file is opened, by its name.
@Suite struct WholeBlocksTests {
  /// What is said of an oracle whose first block of each row stands there four times, without some of its tensors.
  private func said(
    _ oracle: String, of rows: [String], without isLeftOut: (String) -> Bool
  ) throws -> String {
    let folder = TemporaryFolder()
    let file = try TensorFile(
      opening: Fixtures.path("training/oracles/\(oracle)/model.safetensors.zst"))
    var tensors: [String: EncodedTensor] = [:]
    for (key, view) in file.tensors {
      let parts = key.split(separator: ".").map(String.init)
      guard let place = parts.firstIndex(where: rows.contains), let number = Int(parts[place + 1])
      else {
        tensors[key] = view.stored
        continue
      }
      for number in number == 0 ? 0...3 : number + 3...number + 3 {
        var parts = parts
        parts[place + 1] = "\(number)"
        tensors[parts.joined(separator: ".")] = view.stored
      }
    }
    let left = tensors.filter { !isLeftOut($0.key) }
    #expect(left.count < tensors.count)
    return Self.said(of: try folder.write("model.safetensors", left))
  }

  private static func said(of path: FilePath) -> String {
    var settings = ModelSettings(base: path)
    settings.textIsKept = true
    do {
      let (base, pipeline) = try ModelPipelines.open(path, as: nil)
      _ = try pipeline.outline(of: base, settings)
      return "no error"
    } catch {
      return "\(error)".replacing(path.string, with: "FILE")
    }
  }

  @Test(arguments: [
    ("flux-dev", ["double_blocks", "single_blocks"], "single_blocks.1"),
    ("flux-dev", ["double_blocks", "single_blocks"], "double_blocks.1"),
    ("qwen-image", ["transformer_blocks"], "transformer_blocks.1"),
  ]) func aHole(oracle: String, blocks: [String], hole: String) throws {
    let text = try said(oracle, of: blocks) { $0.contains(hole + ".") }
    #expect(text.hasPrefix("FILE: expected all blocks from 0 to "), "\(text)")
    #expect(text.contains("and no '\(hole)': the file is not whole"), "\(text)")
  }

  @Test(arguments: [
    ("flux-dev", ["double_blocks", "single_blocks"], "double_blocks.2.txt_mlp.0.weight"),
    ("flux-dev", ["double_blocks", "single_blocks"], "single_blocks.1.linear2.bias"),
    ("qwen-image", ["transformer_blocks"], "transformer_blocks.2.attn.to_q.weight"),
  ]) func aLayer(oracle: String, blocks: [String], tensor: String) throws {
    let text = try said(oracle, of: blocks) { $0.hasSuffix(tensor) }
    #expect(text.contains(tensor) && text.hasSuffix("the file is not whole"), "\(text)")
  }

  /// Of Stable Diffusion 3 the text ends in the last block, and the second attention in some.
  @Test func whatMayEnd() throws {
    let whole = [
      "sd3-medium", "sd35-medium", "flux-dev", "qwen-image", "wan-t2v-128", "hunyuan-video",
    ]
    for name in whole {
      let said = Self.said(of: Fixtures.path("training/oracles/\(name)/model.safetensors.zst"))
      #expect(said == "no error", "\(name): \(said)")
    }
    func of35(_ isLeftOut: (String) -> Bool) throws -> String {
      try said("sd35-medium", of: ["joint_blocks"], without: isLeftOut)
    }
    #expect(try of35 { $0.hasSuffix("joint_blocks.3.x_block.attn2.proj.weight") } == "no error")
    for tensor in [
      "joint_blocks.4.x_block.mlp.fc1.weight", "joint_blocks.2.context_block.mlp.fc1.weight",
      "joint_blocks.1.x_block.attn2.qkv.weight",
    ] {
      let text = try of35 { $0.hasSuffix(tensor) }
      #expect(text.contains(tensor) && text.hasSuffix("the file is not whole"), "\(text)")
    }
    let hole = try of35 { $0.contains("joint_blocks.1.") }
    #expect(
      hole.contains("from 0 to 4, found 4 of them and no '") && hole.contains("joint_blocks.1'"),
      "\(hole)")
  }
}
