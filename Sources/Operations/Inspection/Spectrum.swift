/// The singular values of what one module adds to its weight, or of a weight.
package struct Spectrum: Codable, Sendable {
  package let name: String
  package internal(set) var rank: Int?
  /// Of the whole matrix.
  package let norm: Double
  /// The leading ones, descending.
  package let values: [Float]
  /// How many there are above 1e-6 of the largest.
  package let effectiveRank: Int
  /// How many of them hold 90 % of the energy.
  package let rank90: Int

  init(name: String, rank: Int?, values all: [Float], leading count: Int) {
    self.name = name
    self.rank = rank
    let energies = all.map { Double($0) * Double($0) }
    let energy = energies.reduce(0, +)
    norm = energy.squareRoot()
    values = Array(all.prefix(count))
    effectiveRank = all.count { $0 > 0 && Double($0) > 1e-6 * Double(all.first ?? 0) }
    var (held, needed) = (0.0, 0)
    while held < 0.9 * energy, needed < energies.count {
      held += energies[needed]
      needed += 1
    }
    rank90 = needed
  }
}
