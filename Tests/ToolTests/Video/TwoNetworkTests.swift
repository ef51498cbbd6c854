import SystemPackage
import TestSupport
import Testing

/// Wan 2.2, which has a network for little and one for much noise, trained with one adapter for both.
@Suite(.serialized) struct TwoNetworkTests {
  private static func writeNetworks(in folder: borrowing TemporaryFolder) throws {
    for (name, seed) in [("low", 3), ("high", 1003)] as [(String, UInt64)] {
      var model = try VideoModel(.wan)
      model.fill(seed: seed)
      try model.write("\(name).safetensors", in: folder)
    }
  }

  private static func at(_ time: String) -> [String] {
    [
      "--timestep_sampling", "uniform", "--min_timestep", time, "--max_timestep", time,
      "--learning_rate", "1e-3",
    ]
  }

  /// On either side of the boundary a run with both networks is one with that network alone, to the bit. The model is
  /// told 1000 t + 1, by which musubi-tuner chooses: 0.875 of a model that sees no picture.
  @Test(arguments: [
    ("400", [], "low"), ("873", [], "low"), ("874", [], "high"), ("950", [], "high"),
    ("400", ["--timestep_boundary", "0.3"], "high"),
    ("880", ["--timestep_boundary", "900"], "low"),
  ])
  func eachSideHasItsNetwork(time: String, options: [String], network: String) throws {
    let run = try VideoRun(.wan)
    try Self.writeNetworks(in: run.folder)
    let high = run.folder.file("high.safetensors").string
    let both = run.train(
      dit: run.folder.file("low.safetensors"), name: "both",
      Self.at(time) + ["--dit_high_noise", high] + options)
    #expect(both.status == 0, "\(both.errors)")
    let alone = run.train(
      dit: run.folder.file("\(network).safetensors"), name: "alone", Self.at(time))
    #expect(alone.status == 0, "\(alone.errors)")
    #expect(try run.adapter("both") == run.adapter("alone"))
    #expect(try run.losses(of: "both") == run.losses(of: "alone"))
  }

  /// A batch may lie on both sides: each sample has its network.
  @Test func aBatchMayLieOnBothSides() throws {
    let run = try VideoRun(.wan)
    try run.writeDatasets("batch_size = 2")
    for (name, value) in [("low", 1e6), ("high", 3e6)] as [(String, Float)] {
      var model = try VideoModel(.wan)
      model.predict(value)
      try model.write("\(name).safetensors", in: run.folder)
    }
    // One sample of each epoch lies in either half.
    let result = run.train(
      dit: run.folder.file("low.safetensors"), steps: 3,
      [
        "--dit_high_noise", run.folder.file("high.safetensors").string, "--timestep_boundary",
        "500", "--timestep_sampling", "uniform", "--num_timestep_buckets", "2",
        "--learning_rate", "1e-30",
      ])
    #expect(result.status == 0, "\(result.errors)")
    let losses = try run.losses()
    #expect(losses.count == 3)
    // The mean of both squares; the target is a millionth of them.
    for loss in losses { #expect(abs(loss / 5e12 - 1) <= 1e-5, "\(loss)") }
  }

  /// By the plan as well: headers tell it.
  @Test(arguments: [[], ["--plan"]]) func refusesANetworkOfAnotherModel(plan: [String]) throws {
    let run = try VideoRun(.wan)
    try Self.writeNetworks(in: run.folder)
    try VideoModel(.wan, knownChannels: 20).write("other.safetensors", in: run.folder)
    let result = run.train(
      dit: run.folder.file("low.safetensors"),
      ["--dit_high_noise", run.folder.file("other.safetensors").string] + plan)
    #expect(result.status == 1, "\(result.errors)")
    #expect(
      result.errors.contains("other.safetensors: '--dit_high_noise': expected a network with"),
      "\(result.errors)")
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    #expect(!run.folder.entries.contains("out"))
  }

  @Test func aPlanNamesBothFiles() throws {
    let run = try VideoRun(.wan)
    try Self.writeNetworks(in: run.folder)
    let (low, high) = (run.folder.file("low.safetensors"), run.folder.file("high.safetensors"))
    let result = run.train(dit: low, ["--dit_high_noise", high.string, "--plan"])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("\(high): for much noise"), "\(result.output)")
    let none = run.train(dit: low, ["--dit_high_noise", "/none.safetensors", "--plan"])
    #expect(none.status == 1 && none.errors.contains("/none.safetensors"), "\(none.errors)")
  }
}
