import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import TestSupport
import Testing

/// Pages and JSON of lyco-extract, lyco-merge and lyco-train.
@Suite(.serialized) struct ReportToolTests {
  private static let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
  private static let tuned = Fixtures.path("real/fashion-ddpm/tuned.safetensors").string
  private static let trained =
    Fixtures.path("real/fashion-ddpm/trained-lora-r4.safetensors").string
  private static let tiny = Fixtures.path("training/tiny").string

  private func page(_ path: FilePath) throws -> PageReading {
    let reading = PageReading(String(decoding: try contents(of: path), as: UTF8.self))
    #expect(reading.faults.isEmpty, "\(path): \(reading.faults)")
    #expect(reading.foreign.isEmpty, "\(path): \(reading.foreign)")
    return reading
  }

  private func json(_ path: FilePath) throws -> [String: Any] {
    try #require(
      JSONSerialization.jsonObject(with: Data(contents(of: path))) as? [String: Any])
  }

  // MARK: Extraction and merge

  @Test(arguments: [
    ["--linear_dim", "4"], ["--max_error", "0.5"], ["--mode", "full", "--norms", "--bias"],
    ["--max_size", "100KB", "--algo", "auto"], ["--algo", "ia3"], ["--linear_ratio", "0.3"],
  ])
  func extractionHasAPage(arguments: [String]) throws {
    let folder = TemporaryFolder()
    let run = ToolRun(
      "lyco-extract",
      [Self.base, Self.tuned, "-o", "a.safetensors", "--report", "new/r.html"] + arguments,
      in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    let page = try page(folder.file("new/r.html"))
    for text in ["Error by module", "Settings", arguments[0]] {
      #expect(page.text.contains(text), "\(text)")
    }
    #expect(page.text.contains("Not in the adapter") != arguments.contains("--bias"))
    #expect(page.elements.contains { $0.name == "svg" })
    // Each module has its row in the table behind the pictures.
    let modules = try TensorFile(opening: folder.file("a.safetensors")).tensors.count
    #expect(page.rows.count > modules / 3)
  }

  @Test func mergesHaveAPageAndJSON() throws {
    let folder = TemporaryFolder()
    for name in ["r.html", "r.json"] {
      let run = ToolRun(
        "lyco-merge",
        [
          Self.base, Self.trained, Self.trained, "--ratio", "0.5", "0.25", "-o", "m.safetensors",
          "--save_precision", "bf16", "--report", name,
        ], in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
    }
    let page = try page(folder.file("r.html"))
    for text in ["F32 → BF16", "trained-lora-r4.safetensors", "--ratio 0.25", "83 lora"] {
      #expect(page.text.contains(text), "\(text)")
    }
    let report = try json(folder.file("r.json"))
    let changes = try #require(report["changes"] as? [[String: Any]])
    #expect(changes.count == report["changed_tensors"] as? Int)
    // The same adapter twice: three quarters of it in all.
    for change in changes {
      let parts = try #require(change["adapters"] as? [[String: Any]])
        .map { $0["change"] as? Double ?? 0 }
      let whole = try #require(change["change"] as? Double)
      // Of sums with the weight in f32.
      let rounding = 1e-7 * (change["norm"] as? Double ?? 0)
      #expect(abs(parts[0] - 2 * parts[1]) <= 1e-4 * parts[0] + rounding)
      #expect(abs(whole - parts[0] - parts[1]) <= 1e-4 * whole + rounding)
    }
  }

  /// Outputs are looked at before the work, and no input is replaced.
  @Test func reportsHavePlacesOfTheirOwn() throws {
    let folder = TemporaryFolder()
    let copy = folder.file("base.safetensors")
    try FileManager.default.copyItem(atPath: Self.base, toPath: copy.string)
    let before = try FileTree(folder.path)
    for (report, status) in [
      ("m.safetensors", 64), ("base.safetensors", 1), ("base.safetensors/r.html", 1),
    ] as [(String, Int32)] {
      let run = ToolRun(
        "lyco-merge",
        ["base.safetensors", Self.trained, "-o", "m.safetensors", "--report", report],
        in: folder.path)
      #expect(run.status == status, "\(report): \(run.errors)")
      #expect(try FileTree(folder.path) == before)
      let extraction = ToolRun(
        "lyco-extract",
        ["base.safetensors", Self.tuned, "-o", "m.safetensors", "--report", report],
        in: folder.path)
      #expect(extraction.status == status, "\(report): \(extraction.errors)")
      #expect(try FileTree(folder.path) == before)
    }
  }

  // MARK: Training

  private func train(
    in folder: borrowing TemporaryFolder, _ name: String, _ arguments: String...,
    environment: [String: String] = [:]
  ) -> ToolRun {
    ToolRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path", Self.tiny, "--train_data_dir", Self.tiny + "/images",
        "--resolution", "64", "--output_dir", "out", "--output_name", name, "--network_dim", "2",
        "--max_train_steps", "4", "--seed", "1", "--threads", "1", "--network_train_unet_only",
        "--validation_split", "0.1", "--max_validation_steps", "1", "--validate_every_n_steps", "2",
        "--save_every_n_steps", "2", "--save_state", "--quiet",
      ] + arguments, in: folder.path, environment: environment)
  }

  /// The adapter has the same numbers with a page and without, and the page shows what there is.
  @Test func pagesChangeNothing() throws {
    let folder = TemporaryFolder()
    _ = try folder.write("p.txt", text: "a <b>bag</b> & more --w 64 --h 64 --s 1\n")
    let plain = train(in: folder, "plain")
    #expect(plain.status == 0, "\(plain.errors)")
    let paged = train(
      in: folder, "paged", "--html", "pages/run.html", "--sample_prompts", "p.txt",
      "--sample_every_n_steps", "2", "--sample_at_first")
    #expect(paged.status == 0, "\(paged.errors)")
    let contents = try ["plain", "paged"].map {
      try TensorFile(opening: folder.file("out/\($0).safetensors")).contents
    }
    #expect(contents[0] == contents[1] && !contents[0].isEmpty)
    let page = try page(folder.file("pages/run.html"))
    for text in [
      "The run is finished", "held out", "a <b>bag</b> & more", "step 4", "--network_dim 2",
      "‖ΔW‖ by block after step 4",
    ] { #expect(page.text.contains(text), "\(text)") }
    #expect(page.elements.count { $0.name == "img" } == 3)
    #expect(!page.elements.contains { $0.attributes["http-equiv"] == "refresh" })
    #expect(folder.entries == ["out", "p.txt", "pages"])
  }

  /// A run that is resumed goes on with the curves of its page, and drops the steps that are taken again.
  @Test(arguments: ["run.json", "run.html"])
  func resumedRunsGoOnWithTheirPage(name: String) throws {
    let folder = TemporaryFolder()
    func history() throws -> String {
      var description = name.hasSuffix("json") ? try json(folder.file(name)) : [:]
      if name.hasSuffix("html") {
        let meta = try page(folder.file(name)).elements.first {
          $0.attributes["name"] == "lyco-history"
        }
        let data = try #require(
          meta.flatMap { Data(base64Encoded: $0.attributes["content"] ?? "") })
        description = try #require(
          JSONSerialization.jsonObject(with: data) as? [String: Any])
      }
      #expect(description["status"] as? String == "finished")
      let history = try #require(description["history"] as? [String: Any])
      let series = try #require(history["series"] as? [String: [String: Any]])
      #expect((series["loss/current"]?["entries"] as? [Any])?.count == 4)
      let data = try JSONSerialization.data(
        withJSONObject: ["series": series, "validation": history["validation"] ?? 0],
        options: .sortedKeys)
      return String(decoding: data, as: UTF8.self)
    }
    let whole = train(in: folder, "a", "--html", name)
    #expect(whole.status == 0, "\(whole.errors)")
    let expected = try history()
    let rest = train(in: folder, "a", "--html", name, "--resume", "out/a-step00000002-state")
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(try history() == expected)
  }

  /// What the run is stands in the page before its first step.
  @Test func aPageIsThereBeforeTheFirstStep() throws {
    let folder = TemporaryFolder()
    let notes = TemporaryFolder()
    func run(_ fault: [String: String]) -> ToolRun {
      train(
        in: folder, "a", "--html", "run.json",
        environment: fault.merging(
          ["LD_PRELOAD": ToolRun.executable("libFileFaults.so").path]) { $1 })
    }
    let log = notes.file("log")
    #expect(run(["FAULTS_LOG": log.string]).status == 0)
    // A page is linked to its name; where one is there already, that fails, and it is renamed.
    let calls = String(decoding: try contents(of: log), as: UTF8.self).split(separator: "\n")
      .map { $0.split(separator: " ") }
      .filter { $0[1] == "link" && $0.last?.hasSuffix("run.json") ?? false }
    // Before the first step, after it, at the end.
    try #require(calls.count == 3, "\(calls)")
    try FileManager.default.removeItem(atPath: folder.file("run.json").string)
    _ = run(["FAULTS_KILL": String(calls[1][0])])
    let page = try json(folder.file("run.json"))
    #expect(page["status"] as? String == "starting")
    #expect(page["steps"] as? Int == 4)
    #expect((page["facts"] as? [String])?.isEmpty == false)
    #expect((page["history"] as? [String: Any])?["step"] as? Int == 0)
  }

  /// Ctrl-C ends the page too.
  @Test func aRunThatIsStoppedSaysSo() throws {
    let folder = TemporaryFolder()
    let page = folder.file("run.json")
    let run = try RankedRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path", Self.tiny, "--train_data_dir", Self.tiny + "/images",
        "--resolution", "64", "--output_dir", folder.file("out").string, "--output_name", "a",
        "--network_dim", "2", "--max_train_steps", "2000", "--seed", "1", "--threads", "1",
        "--html", page.string,
      ], ranks: 1)
    run.wait {
      guard let shown = try? self.json(page) else { return false }
      return shown["status"] as? String == "running"
    }
    kill(run.identifier, SIGINT)
    #expect(run.end() == 130)
    let shown = try json(page)
    #expect(shown["status"] as? String == "interrupted")
    #expect((shown["message"] as? String)?.contains("--resume") == true, "\(shown)")
  }

  /// A device that takes nothing costs the page alone.
  @Test func whatCannotBeWrittenIsToldAfterTheWork() throws {
    let folder = TemporaryFolder()
    let run = ToolRun(
      "lyco-merge",
      [Self.base, Self.trained, "-o", "m.safetensors", "--report", "/dev/full"], in: folder.path)
    #expect(run.status == 1)
    #expect(
      run.errors.contains("/dev/full") && run.errors.contains("m.safetensors"), "\(run.errors)")
    #expect(folder.entries == ["m.safetensors"])
    let page = ToolRun("lyco-inspect", [Self.trained, "--html", "/dev/full"])
    #expect(page.status == 1 && page.errors.contains("/dev/full"), "\(page.errors)")
    let trained = train(in: folder, "a", "--html", "/dev/full")
    #expect(trained.status == 1 && trained.errors.contains("/dev/full"), "\(trained.errors)")
    #expect(trained.errors.contains("a.safetensors"), "\(trained.errors)")
  }

  @Test func refusesPlacesOfPages() throws {
    let folder = TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.file("d.html").string, withIntermediateDirectories: true)
    for (path, says, status) in [
      ("run.txt", "expected a name that ends in .html or .json, found 'run.txt'", 64),
      ("d.html", "d.html", 1),
    ] as [(String, String, Int32)] {
      let run = train(in: folder, "a", "--html", path)
      #expect(run.status == status && run.errors.contains(says), "\(run.errors)")
      #expect(folder.entries == ["d.html"])
    }
  }

  // MARK: Schemas

  /// Every name in the JSON of a report stands in docs/reports.md.
  @Test func namesAreDocumented() throws {
    let folder = TemporaryFolder()
    #expect(
      ToolRun(
        "lyco-extract",
        [Self.base, Self.tuned, "-o", "a.safetensors", "--linear_dim", "4", "--report", "e.json"],
        in: folder.path
      ).status == 0)
    #expect(
      ToolRun(
        "lyco-merge",
        [Self.base, "a.safetensors", "-o", "m.safetensors", "--report", "m.json"], in: folder.path
      ).status == 0)
    _ = try folder.write("p.txt", text: "a bag --w 64 --h 64 --s 1\n")
    #expect(
      train(
        in: folder, "a", "--html", "t.json", "--sample_prompts", "p.txt",
        "--sample_every_n_steps", "4"
      ).status == 0)
    let manual = try String(
      contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../docs/reports.md"), encoding: .utf8)
    for name in ["e.json", "m.json", "t.json"] {
      let keys = Self.keys(of: try json(folder.file(name)))
      #expect(keys.count > 15)
      for key in keys.sorted() {
        #expect(manual.contains("`\(key)`"), "\(name): '\(key)' is not in docs/reports.md")
      }
    }
  }

  /// All names, but for those that are data.
  private static func keys(of value: Any) -> Set<String> {
    if let list = value as? [Any] {
      return list.reduce(into: []) { $0.formUnion(keys(of: $1)) }
    }
    guard let object = value as? [String: Any] else { return [] }
    return object.reduce(into: []) { found, entry in
      found.insert(entry.key)
      guard !["algorithms", "blocks"].contains(entry.key) else { return }
      if entry.key == "series", let series = entry.value as? [String: Any] {
        for one in series.values { found.formUnion(keys(of: one)) }
      } else {
        found.formUnion(keys(of: entry.value))
      }
    }
  }
}
