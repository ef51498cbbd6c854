import Machine
package import SystemPackage

/// What the files and folders of a training are called, and which of them are removed again: the rules of
/// sd-scripts.
package struct SaveNames: Equatable, Sendable {
  /// `--output_dir`
  package let folder: FilePath
  /// `--output_name`
  package let name: String

  package init(folder: FilePath, name: String) {
    self.folder = folder
    self.name = name
  }

  /// A moment at which something is saved.
  package enum Moment: Equatable, Sendable {
    /// After so many epochs.
    case epoch(Int)
    /// After so many steps.
    case step(Int)
    case end

    var isStep: Bool { if case .step = self { true } else { false } }
  }

  /// `name-000002.safetensors`, `name-step00000100.safetensors` or `name.safetensors`
  package func adapter(_ moment: Moment, suffix: String = ".safetensors") -> FilePath {
    folder.appending(named: stem(moment) + suffix)
  }

  /// `name-000002-state`, `name-step00000100-state` or `name-state`
  package func state(_ moment: Moment) -> FilePath {
    folder.appending(named: stem(moment) + "-state")
  }

  /// The folder of pictures that are drawn on the way.
  package var samples: FilePath { folder.appending("sample") }

  /// `sample/name_000100_00_20250131235959_42.png` of a step, `sample/name_e000002_…` of an epoch.
  /// - Parameters:
  ///   - prompt: its place among the prompts, from 0.
  ///   - time: seconds since 1970.
  package func sample(
    _ moment: Moment, prompt: Int, seed: UInt64, at time: Double
  ) -> FilePath {
    let number =
      switch moment {
      case .epoch(let epoch): "e" + Self.padded(epoch, 6)
      case .step(let step): Self.padded(step, 6)
      case .end: "end"
      }
    let parts = [
      name, number, Self.padded(prompt, 2), EventLog.timestamp(time), "\(seed)",
    ]
    return samples.appending(named: parts.joined(separator: "_") + ".png")
  }

  /// Whether it is what `state(_:)` calls a folder, of any moment.
  func isState(_ name: String) -> Bool {
    var rest = Substring(name)
    guard rest.hasPrefix(self.name), rest.hasSuffix("-state") else { return false }
    rest = rest.dropFirst(self.name.count).dropLast("-state".count)
    guard !rest.isEmpty else { return true }
    let isStep = rest.hasPrefix("-step")
    let digits = rest.dropFirst(isStep ? "-step".count : 1)
    return rest.hasPrefix("-") && digits.utf8.count >= (isStep ? 8 : 6)
      && digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private func stem(_ moment: Moment) -> String {
    switch moment {
    case .epoch(let epoch): "\(name)-\(Self.padded(epoch, 6))"
    case .step(let step): "\(name)-step\(Self.padded(step, 8))"
    case .end: name
    }
  }

  static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// How many of the saves of one kind are kept.
package struct Retention: Equatable, Sendable {
  /// Epochs or steps from one save to the next.
  package var every: Int
  /// How many epochs, or for how many steps, adapters are kept; nil for all.
  package var last: Int?
  /// The same of states; nil for as of adapters.
  package var lastStates: Int?

  package init(every: Int, last: Int? = nil, lastStates: Int? = nil) {
    self.every = every
    self.last = last
    self.lastStates = lastStates
  }

  /// The moment whose adapter goes when that of `moment` is saved.
  package func removed(at moment: SaveNames.Moment) -> SaveNames.Moment? {
    removed(at: moment, keeping: last)
  }

  /// The moment whose state goes when that of `moment` is saved.
  package func removedState(at moment: SaveNames.Moment) -> SaveNames.Moment? {
    removed(at: moment, keeping: lastStates ?? last)
  }

  private func removed(at moment: SaveNames.Moment, keeping last: Int?) -> SaveNames.Moment? {
    guard let last else { return nil }
    switch moment {
    case .epoch(let epoch):
      // So many saves are kept.
      let old = epoch - every * last
      return old > 0 ? .epoch(old) : nil
    case .step(let step):
      // Saves of so many steps are kept: with one every 10 and the last 30, step 50 removes step 10.
      let old = step - last - 1
      return old >= every ? .step(old - old % every) : nil
    case .end: return nil
    }
  }
}
