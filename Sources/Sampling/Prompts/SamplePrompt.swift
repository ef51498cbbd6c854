/// What a prompt says of the pictures that are to be drawn of it. What it does not say is nil.
package struct SamplePrompt: Equatable, Sendable {
  package var text: String
  /// What the pictures are drawn away from.
  package var negative: String?
  /// In pixels.
  package var width: Int?
  package var height: Int?
  /// Of the first picture.
  package var seed: UInt64?
  /// Whether it is to have a seed that nobody says, whatever counts for the others.
  package var drawsSeed = false
  package var steps: Int?
  /// Of classifier-free guidance.
  package var scale: Double?
  /// What a model with a guidance input is told.
  package var guidance: Double?
  package var sampler: Sampler?
  /// Where it stands, for messages: `prompts.txt: line 3`.
  package var place: String

  /// More pixels of a side than any model draws.
  package static let largestSide = 16384
  /// Strengths of guidance, far beyond those that anybody uses.
  package static let scales = 0.0...1000.0

  package init(_ text: String, at place: String) {
    self.text = text
    self.place = place
  }
}
