/// What a picture's file says of how it was drawn, in the form that web UIs write into PNG files and read again
/// (`parameters`).
///
/// Source: AUTOMATIC1111's `modules/infotext_utils.py` and `modules/processing.py`, `create_infotext`.
package struct PictureParameters: Sendable {
  package var request: PictureRequest
  /// The checkpoint's name without its ending.
  package var model: String
  /// Of the autoencoder, where it has a file of its own.
  package var vae: String?
  package var clipSkip: Int?
  /// What web UIs call the reading of weights in the prompt, where it is not their usual one.
  package var emphasis: String?
  /// Adapters with their strengths, and their hashes as web UIs know them.
  package var adapters: [Adapter]
  /// `lyco 1.0.0`
  package var version: String
  /// Of a picture that was drawn while an adapter was trained.
  package var training: Training?

  package struct Training: Hashable, Sendable {
    /// Of the adapter that is trained.
    package let name: String
    /// That were done.
    package let steps: Int

    package init(name: String, steps: Int) {
      self.name = name
      self.steps = steps
    }
  }

  package struct Adapter: Hashable, Sendable {
    /// Without ending.
    package let name: String
    package let denoiserRatio: Float
    package let textRatio: Float
    /// The first twelve digits of what `sshs_model_hash` is.
    package let hash: String

    package init(name: String, denoiserRatio: Float, textRatio: Float, hash: String) {
      self.name = name
      self.denoiserRatio = denoiserRatio
      self.textRatio = textRatio
      self.hash = hash
    }

    /// `<lora:name:0.8>`, `<lora:name:text encoder:denoiser>`
    var mark: String {
      let ratios = denoiserRatio == textRatio ? [textRatio] : [textRatio, denoiserRatio]
      let numbers = ratios.map { PictureParameters.number(Double($0)) }
      return "<lora:\(([name] + numbers).joined(separator: ":"))>"
    }
  }

  package init(
    _ request: PictureRequest, model: String, vae: String?, clipSkip: Int?, emphasis: String?,
    adapters: [Adapter], version: String
  ) {
    self.request = request
    self.model = model
    self.vae = vae
    self.clipSkip = clipSkip
    self.emphasis = emphasis
    self.adapters = adapters
    self.version = version
  }

  package var text: String {
    // Web UIs name adapters in the prompt; they take these marks out before they encode it.
    let marks = adapters.map { " " + $0.mark }.joined()
    var lines = [request.prompt + marks]
    if request.isGuided, !request.negative.isEmpty {
      lines.append("Negative prompt: \(request.negative)")
    }
    var entries: [(String, String)] = [
      ("Steps", "\(request.steps)"), ("Sampler", request.sampler.name.title),
    ]
    if request.sampler.usesKarrasSigmas { entries.append(("Schedule type", "Karras")) }
    entries += [
      ("CFG scale", Self.number(request.scale)), ("Seed", "\(request.seed)"),
      ("Size", "\(request.width)x\(request.height)"), ("Model", model),
    ]
    // As Forge has it, beside the scale.
    if let guidance = request.guidance {
      entries.append(("Distilled CFG Scale", Self.number(guidance)))
    }
    if let vae { entries.append(("VAE", vae)) }
    if let clipSkip, clipSkip > 1 { entries.append(("Clip skip", "\(clipSkip)")) }
    if let emphasis { entries.append(("Emphasis", emphasis)) }
    if !adapters.isEmpty {
      let hashes = adapters.map { "\($0.name): \($0.hash)" }.joined(separator: ", ")
      entries.append(("Lora hashes", hashes))
    }
    if let training {
      entries.append(("Trained adapter", training.name))
      entries.append(("Training steps", "\(training.steps)"))
    }
    entries.append(("Version", version))
    lines.append(entries.map { "\($0.0): \(Self.quoted($0.1))" }.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  /// A whole number without its fraction.
  static func number(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(Float(value))"
  }

  /// In quotes where a comma, a colon or a line's end would be taken for the next entry, as JSON has them.
  private static func quoted(_ value: String) -> String {
    guard value.contains(where: { ",:\n\"".contains($0) }) else { return value }
    let escaped = value.map {
      $0 == "\"" ? "\\\"" : $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : "\($0)"
    }
    return "\"\(escaped.joined())\""
  }
}
