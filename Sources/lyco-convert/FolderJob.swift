import ArgumentParser
import CommandSupport
import Machine
import ModelFamilies
import Operations
import Safetensors
import SystemPackage

/// Every file of some folders converted by itself, past those that cannot be.
struct FolderJob {
  let inputs: [FilePath]
  let output: FilePath
  let options: FolderOptions
  let job: JobOptions
  /// What adapters become; nil keeps the format of each.
  let format: AdapterFormat?

  /// - Parameter convert: makes one output of one input.
  /// - Throws: `ExitCode` 1 if any failed; `Interruption`.
  func run(_ convert: (FilePath, FilePath) async throws -> Void) async throws {
    let items = try FolderInputs(inputs, isRecursive: options.isRecursive, excluding: output).items
    guard !items.isEmpty else {
      throw ValidationError(
        "\(inputs.map(\.string).joined(separator: ", ")): expected adapters or checkpoints, found none"
          + (options.isRecursive ? "" : "; '--recursive' looks into folders"))
    }
    var (converted, skipped, failed) = (0, 0, 0)
    var made: [FilePath: FilePath] = [:]
    var written: [FilePath] = []
    for item in items {
      guard !Task.isCancelled else { throw Interruption(written: written, of: items.count) }
      let target = item.output(in: output, as: format)
      if let other = made.updateValue(item.input, forKey: target) {
        made[target] = other
        StandardError.say("\(item.input): \(target) is that of \(other) already")
        failed += 1
        continue
      }
      guard job.overwrites || target.kind == nil else {
        StandardError.say("skipped: \(target) is there already; '--overwrite' replaces it")
        skipped += 1
        continue
      }
      do {
        let places = try job.prepare([(target.folder, .folder)], reading: [item.input])
        defer { withExtendedLifetime(places) {} }
        try await convert(item.input, target)
        written.append(target)
        converted += 1
      } catch is CancellationError, is Interruption {
        throw Interruption(written: written, of: items.count)
      } catch {
        let text = "\(error)"
        let path = item.input.string
        StandardError.say("failed: " + (text.hasPrefix(path) ? text : "\(path): \(text)"))
        failed += 1
      }
    }
    if !job.quiet && !job.asJSON {
      StandardOutput.say(
        "\(items.count) \(items.count == 1 ? "input" : "inputs"): \(converted) converted, "
          + "\(skipped) skipped, \(failed) failed")
    }
    if failed > 0 { throw ExitCode(1) }
  }
}
