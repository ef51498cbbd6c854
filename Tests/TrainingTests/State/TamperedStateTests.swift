import Autograd
import Foundation
import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// States of which one number, tensor or file is not what was written.
///
/// Each is refused in one line that names the folder, or it is the state that was written; nothing in between, and
/// no trap. A state of an earlier release does not say what it was: that one may be gone on from, with finite numbers.
@Suite struct TamperedStateTests {
  static let optimizers = [
    "AdamW", "AdamW8bit", "Lion", "SGDNesterov", "Adafactor", "CAME", "Prodigy", "DAdaptAdam",
    "DAdaptLion", "DAdaptSGD", "AdamWScheduleFree",
  ]

  @Test(arguments: optimizers)
  func refusedOrAsWritten(optimizer: String) throws {
    let states = try TamperedState(optimizer)
    // The same in other words is the same.
    #expect(try states.finding(with: [:]) == .same)
    let progress = try states.progress()
    #expect(
      try states.finding(with: [
        TamperedState.progress: JSONSerialization.data(withJSONObject: progress)
      ])
        == .same)
    // All of one optimizer, of each other a fifth: some 2000 in all, which take a minute.
    let share = Self.optimizers.firstIndex(of: optimizer)! % 5
    let changes = try states.changes().enumerated()
      .filter { optimizer == "AdamW" || $0.offset % 5 == share }.map(\.element)
    #expect(changes.count > (optimizer == "AdamW" ? 600 : 120))
    for (name, files) in changes {
      switch try states.finding(with: files) {
      case .same: break
      case .other: Issue.record("\(optimizer), \(name): gone on from as if it were whole")
      case .refused(let message):
        #expect(
          message.contains(states.folder.string) && !message.contains("\n"),
          "\(optimizer), \(name): \(message)")
      }
      _ = try states.finding(with: states.withoutDigests(files))
    }
  }

  /// What is said of some changes.
  @Test(arguments: [
    ("parameters.safetensors", "NaN", "parameter 'a.up': expected finite numbers, found NaN"),
    ("parameters.safetensors", "F16", "parameter 'a.up': expected F32, found F16"),
    ("parameters.safetensors", "exchanged", "expected the contents that were saved, found others"),
    ("optimizer.safetensors", "NaN", "expected finite numbers, found NaN or infinity"),
    ("optimizer.safetensors", "without the first", "expected the contents that were saved"),
    ("average.safetensors", "exchanged", "expected the contents that were saved, found others"),
    ("train_state.json", "current_step -1", "'current_step': expected 0 to"),
    ("train_state.json", "current_step 3", "'current_step': expected 2 after"),
    ("train_state.json", "average_count missing", "lacks 'average_count'"),
    ("train_state.json", "average_count 9223372036854775807", "'average_count': expected 0 to"),
    ("train_state.json", "losses.sum 0.5", "expected the contents that were saved, found others"),
    ("train_state.json", "losses.sum 1e+300", "expected the contents that were saved"),
    ("train_state.json", "optimizer Lion", "'--optimizer_type' was 'Lion'"),
    ("train_state.json", "batch_in_epoch x", "'batch_in_epoch' in its train_state.json is no Int"),
  ])
  func oneLine(file: String, change: String, expected: String) throws {
    let states = try TamperedState("AdamW")
    let files = try #require(try states.changes().first { $0.name == "\(file) \(change)" }?.files)
    guard case .refused(let message) = try states.finding(with: files) else {
      Issue.record("\(file) \(change) is not refused")
      return
    }
    #expect(message.contains(expected), "\(message)")
  }
}
