package import Autograd
import LinearAlgebra
package import Machine
package import Tensors

/// Captions as a denoiser reads them.
///
/// What a text encoder that is not trained makes of a caption is computed once and kept; where all captions are known
/// from the start, the encoder itself is then let go of.
package final class KnownCaptions {
  /// In the order of the family; none where captions come encoded.
  private var encoders: [Encoder]
  /// Of a caption what each encoder makes of it; nothing of one that is trained.
  private var known: [String: [[Tensor]]] = [:]
  private var byteCount = 0
  /// The same of texts that pictures are drawn of, by those that are read together.
  private var prompts: [[String]: [[Tensor]]] = [:]
  /// Bytes of what is kept: shuffled tags make new captions all the time.
  private let mostBytes: Int

  private struct Encoder {
    /// nil once all captions are known.
    var model: (any CaptionEncoder)?
    /// Whether gradients go through it.
    var isTrained = false

    func encode(_ captions: [String]) -> [Variable] {
      guard let model else { preconditionFailure("a caption that was not known: \(captions)") }
      return model.encode(captions)
    }

    func outputs(ofPrompts texts: [String]) -> [Tensor] {
      guard let model else { preconditionFailure("texts that were not known: \(texts)") }
      return Recording.pause { model.ofPrompts.encode(texts).map(\.value) }
    }
  }

  /// What is kept of captions where nobody asked to keep them all.
  package static let commonBytes = 1 << 30

  /// - Parameter mostBytes: of what is kept of captions.
  package init(_ encoders: [any CaptionEncoder], atMost mostBytes: Int = commonBytes) {
    self.encoders = encoders.map { Encoder(model: $0) }
    self.mostBytes = mostBytes
  }

  /// Those of the encoders that are there.
  package var layers: [Layer] { encoders.flatMap { $0.model?.layers ?? [] } }

  /// Tells through which components gradients go; none where it is not told. Before anything is encoded.
  package func train(_ components: Set<String>) {
    for index in encoders.indices {
      encoders[index].isTrained =
        encoders[index].model.map { components.contains($0.component) } ?? false
    }
  }

  /// Encodes captions that are all there are, and lets go of the encoders that are not trained; of none where that
  /// takes more memory than is meant for it.
  /// - Parameters:
  ///   - ranks: each encodes its share of captions, all of which must fit.
  ///   - progress: told of captions that are done, and of all; returns whether to go on.
  /// - Throws: `RankFailure`
  package func settle(
    for captions: Set<String>, over ranks: any Communicator = SingleProcess(),
    progress: (Int, Int) -> Bool
  ) throws(RankFailure) {
    guard encoders.contains(where: { !$0.isTrained }) else { return }
    if ranks.count > 1 { try share(captions.sorted(), over: ranks, progress) }
    for (index, caption) in captions.sorted().enumerated() {
      _ = outputs(of: caption)
      guard known.count == index + 1, progress(known.count, captions.count) else { return }
    }
    for index in encoders.indices where !encoders[index].isTrained { encoders[index].model = nil }
  }

  /// Encodes every rank's share of captions, and hands it to the others.
  private func share(
    _ captions: [String], over ranks: any Communicator, _ progress: (Int, Int) -> Bool
  ) throws(RankFailure) {
    let own = captions.enumerated().filter { ranks.isOwn($0.offset) }.map(\.element)
    for (index, caption) in own.enumerated() {
      _ = outputs(of: caption)
      // What a rank leaves out, all would wait for.
      _ = progress(index + 1, own.count)
    }
    try ranks.hand(
      own,
      write: { caption, message in
        message.append(caption)
        for outputs in outputs(of: caption) {
          message.append(outputs.count)
          for output in outputs { output.write(to: &message) }
        }
      },
      receive: { reader in
        let caption = reader.text()
        keep(
          encoders.map { _ in (0..<reader.integer()).map { _ in Tensor(reading: &reader) } },
          of: caption)
      })
  }

  /// What the encoders make of the captions, one after the other.
  package func encoded(_ captions: [String]) -> [Variable] {
    let kept =
      encoders.allSatisfy(\.isTrained)
      ? [] : captions.map { outputs(of: $0) }
    return encoders.indices.flatMap { index in
      if encoders[index].isTrained { return encoders[index].encode(captions) }
      return (kept.first?[index] ?? []).indices.map { output in
        Variable(Tensor.stacked(kept.map { $0[index][output] }))
      }
    }
  }

  /// What the encoders make of one caption, which is not kept.
  package func fresh(_ caption: String) -> [Tensor] {
    encoders.flatMap { encoder in Recording.pause { encoder.encode([caption]).map(\.value) } }
  }

  /// Reads texts that pictures will be drawn of, before encoders are let go of that are not trained.
  /// - Parameter batches: texts that are read together.
  package func remember(prompts batches: [[String]]) {
    for texts in batches where prompts[texts] == nil {
      prompts[texts] = encoders.map { encoder in
        encoder.isTrained ? [] : encoder.outputs(ofPrompts: texts)
      }
    }
  }

  /// What the encoders make of such texts now, one after the other.
  /// - Precondition: they were remembered.
  package func encoded(prompts texts: [String]) -> [Tensor] {
    guard let kept = prompts[texts] else {
      preconditionFailure("texts that were not remembered: \(texts)")
    }
    return zip(encoders, kept).flatMap { encoder, kept in
      encoder.isTrained ? encoder.outputs(ofPrompts: texts) : kept
    }
  }

  private func outputs(of caption: String) -> [[Tensor]] {
    if let values = known[caption] { return values }
    let values = encoders.map { encoder in
      encoder.isTrained ? [] : Recording.pause { encoder.encode([caption]).map(\.value) }
    }
    keep(values, of: caption)
    return values
  }

  private func keep(_ values: [[Tensor]], of caption: String) {
    let size = values.joined().reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride }
    if byteCount + size > mostBytes {
      known.removeAll(keepingCapacity: true)
      byteCount = 0
    }
    known[caption] = values
    byteCount += size
  }
}
